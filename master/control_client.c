#include "master/control_client.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

int control_client_connect(const char *state_dir, int *fd)
{
    const struct timeval timeout = {.tv_sec = CONTROL_CLIENT_TIMEOUT};
    struct sockaddr_un address;
    int directory;
    int error = control_address(state_dir, &directory, &address);

    if (error < 0)
        return error;
    *fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
        setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
        connect(*fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        error = -errno;
    close(directory);
    if (error < 0 && *fd >= 0)
        close(*fd);
    return error;
}

static int answer_receive(int fd, struct buffer *memory, struct control_answer *answer)
{
    ssize_t size;
    size_t room;
    char *space;

    if (buffer_reserve(memory, CONTROL_MESSAGE_MAX) < 0)
        return -ENOMEM;
    space = buffer_space(memory, &room);
    size = recv(fd, space, room, MSG_TRUNC);
    if (size < 0)
        return -errno;
    if (size == 0)
        return -ECONNRESET;
    if ((size_t)size > room)
        return -EBADMSG;
    buffer_commit(memory, (size_t)size);
    return control_answer_decode(buffer_slice(memory), answer);
}

int control_client_ask(int fd, const struct control_request *request, struct buffer *memory,
                       struct control_answer *answer)
{
    struct buffer bytes = {0};
    int error = control_request_encode(request, &bytes);

    if (error == 0 && send(fd, buffer_data(&bytes), buffer_size(&bytes), MSG_NOSIGNAL) < 0)
        error = -errno;
    buffer_free(&bytes);
    return error < 0 ? error : answer_receive(fd, memory, answer);
}
