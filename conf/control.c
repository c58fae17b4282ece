#include "conf/control.h"

#include "shared/log.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct control_client {
    struct control *control;
    ev_io io; /* io.fd is -1 when the place is free */
    ev_timer timer;
    uid_t uid;
};

struct control {
    struct ev_loop *loop;
    control_handler handler;
    void *context;
    ev_io io;
    struct control_client clients[CONTROL_CLIENTS_MAX];
    size_t client_count;
};

static void client_close(struct control_client *client)
{
    struct control *control = client->control;

    ev_io_stop(control->loop, &client->io);
    ev_timer_stop(control->loop, &client->timer);
    close(client->io.fd);
    client->io.fd = -1;
    control->client_count--;
    ev_io_start(control->loop, &control->io); /* it stops when every place is taken */
}

/* A packet of an empty socket buffer fits at once; a client that does not read it has its time. */
static void client_answer(struct control_client *client, const struct control_answer *answer)
{
    struct buffer bytes = {0};

    if (control_answer_encode(answer, &bytes) == 0 &&
        send(client->io.fd, buffer_data(&bytes), buffer_size(&bytes), MSG_NOSIGNAL | MSG_DONTWAIT) <
            0)
        log_warning("control_unanswered", "%s", strerror(errno));
    buffer_free(&bytes);
}

static void client_handle(struct control_client *client, struct slice packet)
{
    struct control_answer answer = {.status = -EBADMSG, .text = slice_from("not a request")};
    struct control_request request;

    if (control_request_decode(packet, &request) == 0)
        client->control->handler(client->control->context, &request, client->uid, &answer);
    client_answer(client, &answer);
}

static void on_client(struct ev_loop *loop, ev_io *io, int events)
{
    struct control_client *client = io->data;
    char packet[CONTROL_MESSAGE_MAX];
    ssize_t size = recv(io->fd, packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);

    (void)loop;
    (void)events;
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size > 0 && (size_t)size <= sizeof(packet))
        client_handle(client, slice_make(packet, (size_t)size));
    client_close(client);
}

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    client_close(timer->data);
}

static bool peer_may(int fd, uid_t *uid)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || size != sizeof(peer))
        return false;
    *uid = peer.uid;
    return peer.uid == 0 || peer.uid == geteuid();
}

static void client_open(struct control *control, int fd, uid_t uid)
{
    struct control_client *client = control->clients;

    while (client->io.fd >= 0)
        client++;
    client->uid = uid;
    ev_io_set(&client->io, fd, EV_READ);
    ev_timer_set(&client->timer, CONTROL_TIMEOUT, 0);
    ev_io_start(control->loop, &client->io);
    ev_timer_start(control->loop, &client->timer);
    if (++control->client_count == CONTROL_CLIENTS_MAX)
        ev_io_stop(control->loop, &control->io);
}

static void on_connection(struct ev_loop *loop, ev_io *io, int events)
{
    struct control *control = io->data;
    int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    uid_t uid;

    (void)loop;
    (void)events;
    if (fd < 0)
        return;
    if (peer_may(fd, &uid)) {
        client_open(control, fd, uid);
        return;
    }
    log_warning("control_refused", "a client that is neither root nor this user");
    close(fd);
}

/* Nobody can connect before listen: the mode is right by then. */
static int control_bind(int fd, const char *state_dir)
{
    struct sockaddr_un address;
    int directory;
    int error = control_address(state_dir, &directory, &address);

    if (error < 0)
        return error;
    if (unlinkat(directory, CONTROL_SOCKET, 0) < 0 && errno != ENOENT)
        error = -errno;
    if (error == 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        error = -errno;
    if (error == 0 && fchmodat(directory, CONTROL_SOCKET, S_IRUSR | S_IWUSR, 0) < 0)
        error = -errno;
    if (error == 0 && listen(fd, CONTROL_CLIENTS_MAX) < 0)
        error = -errno;
    close(directory);
    return error;
}

static void control_begin(struct control *control, int fd)
{
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct control_client *client = &control->clients[i];

        client->control = control;
        ev_io_init(&client->io, on_client, -1, EV_READ);
        ev_timer_init(&client->timer, on_timeout, CONTROL_TIMEOUT, 0);
        client->io.data = client;
        client->timer.data = client;
    }
    ev_io_init(&control->io, on_connection, fd, EV_READ);
    control->io.data = control;
    ev_io_start(control->loop, &control->io);
}

int control_open(struct control **out, struct ev_loop *loop, const char *state_dir,
                 control_handler handler, void *context)
{
    struct control *control = calloc(1, sizeof(*control));
    int fd, error;

    if (control == NULL)
        return -ENOMEM;
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    error = fd < 0 ? -errno : control_bind(fd, state_dir);
    if (error < 0) {
        if (fd >= 0)
            close(fd);
        free(control);
        return error;
    }
    control->loop = loop;
    control->handler = handler;
    control->context = context;
    control_begin(control, fd);
    *out = control;
    return 0;
}

/* The socket's name stays: another watcher may have taken it over already. */
void control_close(struct control *control)
{
    if (control == NULL)
        return;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (control->clients[i].io.fd >= 0)
            client_close(&control->clients[i]);
    ev_io_stop(control->loop, &control->io);
    close(control->io.fd);
    free(control);
}
