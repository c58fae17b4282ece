#include "master/signal.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGCHLD);
}

int signal_open(void)
{
    sigset_t set;
    int fd;

    signal_set(&set);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int signal_next(int fd)
{
    struct signalfd_siginfo info;

    if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return 0;
    return (int)info.ssi_signo;
}

int signal_restore(void)
{
    sigset_t set;

    /* Whoever started master may have ignored signals; exec would pass that on. SIGKILL, SIGSTOP
     * and those of the C library refuse: no matter. */
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    /* The child blocks them itself after exec: until then a Ctrl-C of the terminal must wait. */
    signal_set(&set);
    sigdelset(&set, SIGCHLD);
    return sigprocmask(SIG_SETMASK, &set, NULL) < 0 ? -errno : 0;
}
