/* The command line, and the way into each role. */

#include "conf/roles.h"
#include "master/apps_command.h"
#include "master/configs_command.h"
#include "master/explain_command.h"
#include "master/guardian.h"
#include "master/launcher.h"
#include "master/sessions_command.h"
#include "master/status_command.h"
#include "master/supervisor.h"
#include "master/token_command.h"
#include "shared/log.h"
#include "shared/roles.h"
#include "worker/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char usage[] =
    "usage: gatehouse run -c FILE\n"
    "       gatehouse check -c FILE\n"
    "       gatehouse status|apps|configs [-c FILE] [--json]\n"
    "       gatehouse sessions list|show|revoke [-c FILE] ...\n"
    "       gatehouse explain [-c FILE] --app APP --token-file FILE --tool NAME ...\n"
    "       gatehouse token keygen|mint|inspect ...\n"
    "       gatehouse demo-server [--listen 127.0.0.1:PORT | --stdio]\n"
    "       gatehouse connect URL [--token-file F | --token-command C | --token-env N] ...\n"
    "       gatehouse client-config --client claude|cursor|vscode URL ...\n"
    "       gatehouse --version | --help\n";

static const struct role_entry {
    enum child_role role;
    int (*run)(int argc, char **argv);
} role_entries[] = {
    {ROLE_READER, reader_main},       {ROLE_CREATOR, creator_main}, {ROLE_CHECKER, checker_main},
    {ROLE_WATCHER, watcher_main},     {ROLE_JANITOR, janitor_main}, {ROLE_WORKER, worker_main},
    {ROLE_COLLECTOR, collector_main}, {ROLE_BRIDGE, bridge_main},   {ROLE_LAUNCHER, launcher_main},
    {ROLE_GUARDIAN, guardian_main},
};

/* Those that take the rest of the command line, from their own name on. */
static const struct command_entry {
    const char *name;
    int (*run)(int argc, char **argv);
} command_entries[] = {
    {"status", status_command},
    {"sessions", sessions_command},
    {"apps", apps_command},
    {"configs", configs_command},
    {"demo-server", demo_server_main},
    {"explain", explain_command},
    {"connect", connect_main},
    {"client-config", client_config_main},
};

static int main_usage(void)
{
    fputs(usage, stderr);
    return EX_USAGE;
}

/* Only master starts these; child_start refuses any other. */
static int main_role(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(role_entries) / sizeof(role_entries[0]); i++)
        if (strcmp(argv[2], child_role_name(role_entries[i].role)) == 0)
            return role_entries[i].run(argc, argv);
    return main_usage();
}

/* The file's absolute path: master changes its directory, and opens the file again at SIGHUP. */
static int main_absolute(const char *path, char out[PATH_MAX])
{
    size_t size = 0;

    if (path[0] != '/') {
        if (getcwd(out, PATH_MAX - 1) == NULL)
            return -errno;
        size = strlen(out);
        out[size++] = '/';
    }
    if (strlen(path) >= PATH_MAX - size)
        return -ENAMETOOLONG;
    memcpy(out + size, path, strlen(path) + 1);
    return 0;
}

/* Standard descriptors that are closed would be given to sockets, and written to as logs. */
static int main_fill_standard(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

static int main_run(const char *path)
{
    static char absolute[PATH_MAX];
    int error = main_absolute(path, absolute);

    if (error == 0)
        error = main_fill_standard();
    if (error == 0 && chdir("/") < 0)
        error = -errno;
    if (error < 0) {
        fprintf(stderr, "gatehouse: %s: %s\n", path, strerror(-error));
        return EX_OSERR;
    }
    return supervisor_run(absolute);
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "--role") == 0)
        return main_role(argc, argv);
    if (argc == 4 && strcmp(argv[1], "run") == 0 && strcmp(argv[2], "-c") == 0)
        return main_run(argv[3]);
    if (argc == 4 && strcmp(argv[1], "check") == 0 && strcmp(argv[2], "-c") == 0)
        return check_main(argv[3]);
    if (argc >= 2 && strcmp(argv[1], "token") == 0)
        return token_command(argc - 2, argv + 2);
    for (size_t i = 0; argc >= 2 && i < sizeof(command_entries) / sizeof(command_entries[0]); i++)
        if (strcmp(argv[1], command_entries[i].name) == 0)
            return command_entries[i].run(argc - 1, argv + 1);
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("gatehouse 0.1");
        return EX_OK;
    }
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return EX_OK;
    }
    return main_usage();
}
