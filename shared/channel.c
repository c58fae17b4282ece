#include "shared/channel.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Raised whenever enum message_type or a payload's form changes. */
enum { CHANNEL_VERSION = 4 };

struct header {
    uint16_t version;
    uint16_t type;
    uint32_t size; /* bytes of the payload */
};

/* What a message of each type must carry; `least` 0 and `most` 0: no payload. */
static const struct form {
    size_t least, most, fds;
} forms[MESSAGE_TYPES] = {
    [MESSAGE_SETTINGS] = {1, CHANNEL_PAYLOAD_MAX, 0},
    [MESSAGE_READY] = {0, 0, 0},
    [MESSAGE_LISTENER] = {sizeof(struct message_listener), sizeof(struct message_listener), 1},
    [MESSAGE_UNLISTEN] = {sizeof(struct message_listener), sizeof(struct message_listener), 0},
    [MESSAGE_CERTIFICATE] = {sizeof(uint32_t), sizeof(uint32_t), 2},
    [MESSAGE_TICKET_KEYS] = {sizeof(struct message_ticket_keys), sizeof(struct message_ticket_keys),
                             0},
    [MESSAGE_START] = {0, 0, 0},
    [MESSAGE_RELOAD] = {0, 0, 0},
    [MESSAGE_CHANGED] = {0, 64, 0},
    [MESSAGE_KEY_WANTED] = {1, 1024, 0},
    [MESSAGE_READER_CHECK] = {0, 0, 0},
    [MESSAGE_SESSIONS_ENDED] = {1, CHANNEL_PAYLOAD_MAX, 0},
    [MESSAGE_LOG] = {0, 0, 1},
    [MESSAGE_AUDIT] = {0, 0, 1},
    [MESSAGE_DRAIN] = {0, 0, 0},
    [MESSAGE_STDIO_APPS] = {1, CHANNEL_PAYLOAD_MAX, 0},
    [MESSAGE_BRIDGE_LISTENER] = {0, 0, 1},
    [MESSAGE_SERVER_START] = {sizeof(struct message_server_start),
                              sizeof(struct message_server_start), 0},
    [MESSAGE_SERVER_STARTED] = {sizeof(struct message_server_started),
                                sizeof(struct message_server_started), 3},
    [MESSAGE_SERVER_FAILED] = {sizeof(struct message_server_failed),
                               sizeof(struct message_server_failed), 0},
    [MESSAGE_SERVER_STOP] = {sizeof(struct message_server_stop), sizeof(struct message_server_stop),
                             0},
    [MESSAGE_SERVER_ENDED] = {sizeof(struct message_server_ended),
                              sizeof(struct message_server_ended), 0},
    [MESSAGE_SERVERS_LOST] = {0, 0, 0},
    [MESSAGE_GUARD] = {1, CHANNEL_PAYLOAD_MAX, 3},
    [MESSAGE_GUARD_STARTED] = {sizeof(struct message_guard_started),
                               sizeof(struct message_guard_started), 0},
    [MESSAGE_GUARD_STOP] = {sizeof(struct message_guard_stop), sizeof(struct message_guard_stop),
                            0},
    [MESSAGE_GUARD_ENDED] = {sizeof(int32_t), sizeof(int32_t), 0},
};

union control {
    char bytes[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
    struct cmsghdr align;
};

int channel_pair(int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return -errno;
    return 0;
}

int channel_send(int fd, enum message_type type, struct slice payload, const int *fds,
                 size_t fd_count)
{
    struct header header = {CHANNEL_VERSION, (uint16_t)type, (uint32_t)payload.size};
    struct iovec parts[2] = {{&header, sizeof(header)}, {(void *)payload.data, payload.size}};
    union control control = {.bytes = {0}};
    struct msghdr packet = {.msg_iov = parts, .msg_iovlen = payload.size == 0 ? 1 : 2};

    if (payload.size > CHANNEL_PAYLOAD_MAX || fd_count > CHANNEL_FDS_MAX)
        return -EMSGSIZE;
    if (fd_count > 0) {
        packet.msg_control = control.bytes;
        packet.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        control.align.cmsg_level = SOL_SOCKET;
        control.align.cmsg_type = SCM_RIGHTS;
        control.align.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * fd_count);
    }
    for (;;) {
        if (sendmsg(fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return 0;
        if (errno == ENOTCONN || errno == ECONNRESET)
            return -EPIPE;
        if (errno != EINTR)
            return -errno;
    }
}

/* Takes every descriptor that came, so that none leaks, whatever the message says. */
static void take_descriptors(struct msghdr *packet, struct message *out)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(packet); part != NULL;
         part = CMSG_NXTHDR(packet, part)) {
        size_t count;

        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count && out->fd_count < CHANNEL_FDS_MAX; i++)
            memcpy(&out->fds[out->fd_count++], CMSG_DATA(part) + i * sizeof(int), sizeof(int));
    }
}

static int check_form(const struct header *header, size_t size, const struct message *message)
{
    const struct form *form;

    if (header->version != CHANNEL_VERSION || header->type < MESSAGE_SETTINGS ||
        header->type >= MESSAGE_TYPES || header->size != size)
        return -EBADMSG;
    form = &forms[header->type];
    if (size < form->least || size > form->most || message->fd_count != form->fds)
        return -EBADMSG;
    return 0;
}

int channel_receive(int fd, struct message *out)
{
    static char bytes[CHANNEL_PAYLOAD_MAX + 1]; /* one more, to see that a payload is too long */
    struct header header = {0};
    struct iovec parts[2] = {{&header, sizeof(header)}, {bytes, sizeof(bytes)}};
    union control control;
    struct msghdr packet = {.msg_iov = parts,
                            .msg_iovlen = 2,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    ssize_t count;

    do
        count = recvmsg(fd, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    *out = (struct message){.fds = {-1, -1, -1, -1}};
    if (count < 0)
        return errno == EAGAIN ? 0 : errno == ECONNRESET ? -EPIPE : -errno;
    take_descriptors(&packet, out);
    if (count == 0 && out->fd_count == 0)
        return -EPIPE;
    if ((packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || (size_t)count < sizeof(header) ||
        check_form(&header, (size_t)count - sizeof(header), out) < 0) {
        message_close(out);
        return -EBADMSG;
    }
    out->type = (enum message_type)header.type;
    out->payload = slice_make(bytes, header.size);
    return 1;
}

void message_close(struct message *message)
{
    for (size_t i = 0; i < message->fd_count; i++) {
        if (message->fds[i] >= 0)
            close(message->fds[i]);
        message->fds[i] = -1;
    }
    message->fd_count = 0;
}
