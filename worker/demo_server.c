#include "worker/demo_server.h"

#include "shared/settings.h"
#include "worker/demo_connection.h"
#include "worker/demo_stdio.h"
#include "worker/roles.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    DEMO_BACKLOG = 128,
    DEMO_BATCH = 16, /* connections accepted in a row */
    DEMO_CONNECTIONS_MAX = 1024,
    DEMO_EXIT_USAGE = 64, /* EX_USAGE of sysexits.h */
};

static int demo_usage(void)
{
    fputs("usage: gatehouse demo-server [--listen 127.0.0.1:PORT | --stdio]\n"
          "A small MCP server on loopback, or on standard input and output, to try the gateway\n"
          "with. Port 0 takes a free one.\n",
          stderr);
    return DEMO_EXIT_USAGE;
}

/* settings_address knows no port 0, which tests need: asked for as 1 and put in afterwards. */
static int demo_address(const char *text, struct sockaddr_storage *address, socklen_t *size)
{
    size_t length = strlen(text);
    bool any = length > 2 && strcmp(text + length - 2, ":0") == 0;
    char copy[64];
    int error;

    if (length >= sizeof(copy))
        return -EINVAL;
    memcpy(copy, text, length + 1);
    if (any)
        copy[length - 1] = '1';
    error = settings_address(slice_from(copy), address, size);
    /* The port has the same place in both families. */
    if (error == 0 && any)
        ((struct sockaddr_in *)address)->sin_port = 0;
    return error;
}

static bool demo_is_loopback(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;

    if (address->ss_family == AF_INET)
        return ntohl(four->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

/* A listening socket, or -errno. */
static int demo_listen(const struct sockaddr_storage *address, socklen_t size)
{
    int on = 1;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(fd, (const struct sockaddr *)address, size) == 0 && listen(fd, DEMO_BACKLOG) == 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

static void demo_announce(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    char text[INET6_ADDRSTRLEN] = "";
    bool six;
    unsigned port;

    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return;
    six = address.ss_family == AF_INET6;
    if (six)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&address)->sin6_addr, text, sizeof(text));
    else
        inet_ntop(AF_INET, &((struct sockaddr_in *)&address)->sin_addr, text, sizeof(text));
    port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    printf("demo-server: listening on http://%s%s%s:%u/mcp\n", six ? "[" : "", text, six ? "]" : "",
           port);
    fflush(stdout);
}

static void demo_accept(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    struct demo_server *server = watcher->data;
    int on = 1;

    (void)loop;
    (void)events;
    for (int i = 0; i < DEMO_BATCH; i++) {
        int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0)
            return;
        if (server->connection_count >= DEMO_CONNECTIONS_MAX) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        demo_connection_open(server, fd);
    }
}

static void demo_stop(struct ev_loop *loop, struct ev_signal *watcher, int events)
{
    (void)watcher;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static int demo_run(struct demo_server *server, int fd)
{
    server->loop = ev_default_loop(EVFLAG_NOENV);
    if (server->loop == NULL)
        return 70;
    ev_io_init(&server->listener, demo_accept, fd, EV_READ);
    server->listener.data = server;
    ev_io_start(server->loop, &server->listener);
    ev_signal_init(&server->terminate, demo_stop, SIGTERM);
    ev_signal_start(server->loop, &server->terminate);
    ev_signal_init(&server->interrupt, demo_stop, SIGINT);
    ev_signal_start(server->loop, &server->interrupt);
    demo_announce(fd);
    ev_run(server->loop, 0);
    while (server->connections != NULL)
        demo_connection_close(server->connections);
    ev_loop_destroy(server->loop);
    return 0;
}

int demo_server_main(int argc, char **argv)
{
    const char *listen_at = "127.0.0.1:3000";
    struct sockaddr_storage address;
    socklen_t size;
    struct demo_server *server;
    int status;
    int fd;

    if (argc == 2 && strcmp(argv[1], "--stdio") == 0)
        return demo_stdio_run();
    if (argc == 3 && strcmp(argv[1], "--listen") == 0)
        listen_at = argv[2];
    else if (argc > 1)
        return demo_usage();
    if (demo_address(listen_at, &address, &size) != 0 || !demo_is_loopback(&address)) {
        fprintf(stderr, "demo-server: %s is not an address of loopback with a port\n", listen_at);
        return DEMO_EXIT_USAGE;
    }
    fd = demo_listen(&address, size);
    if (fd < 0) {
        fprintf(stderr, "demo-server: cannot listen on %s: %s\n", listen_at, strerror(-fd));
        return 1;
    }
    server = calloc(1, sizeof(*server));
    status = server == NULL ? 70 : demo_run(server, fd);
    free(server);
    close(fd);
    return status;
}
