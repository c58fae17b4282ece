/* key_server.h: a server on loopback of one thread, one connection after the other; the test says
 * what it answers. For tests of what fetches.
 */
#ifndef GATEHOUSE_TESTS_KEY_SERVER_H
#define GATEHOUSE_TESTS_KEY_SERVER_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/shared/loopback.h"

struct key_server {
    pthread_t thread;
    int fd;
    uint16_t port;
    atomic_uint requests;
    /* Instead of what follows, when it is set: all of a connection; the server closes it. */
    void (*serve)(struct key_server *server, int fd);
    /* Runs in the server's thread: writes the response to a request, whose body was read. */
    void (*answer)(struct key_server *server, int fd, const char *path, const char *head);
    void *context;
};

static void send_text(int fd, const char *text)
{
    size_t size = strlen(text);

    while (size > 0) {
        ssize_t sent = send(fd, text, size, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        text += sent;
        size -= (size_t)sent;
    }
}

/* Whether head and body are there. */
static bool request_is_whole(const char *text, size_t size)
{
    const char *end = strstr(text, "\r\n\r\n");
    const char *length = strstr(text, "Content-Length: ");
    size_t body = 0;

    if (length != NULL)
        sscanf(length, "Content-Length: %zu", &body);
    return end != NULL && size >= (size_t)(end - text) + 4 + body;
}

static void key_server_serve(struct key_server *server, int fd)
{
    char head[4096] = "";
    char path[256] = "";
    size_t size = 0;

    if (server->serve != NULL) {
        server->serve(server, fd);
        return;
    }
    while (size < sizeof(head) - 1 && !request_is_whole(head, size)) {
        ssize_t got = recv(fd, head + size, sizeof(head) - 1 - size, 0);

        if (got <= 0)
            return;
        size += (size_t)got;
        head[size] = '\0';
    }
    atomic_fetch_add(&server->requests, 1);
    sscanf(head, "%*s %255s", path);
    server->answer(server, fd, path, head);
}

static void *key_server_run(void *context)
{
    struct key_server *server = context;
    int fd;

    while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
        key_server_serve(server, fd);
        close(fd);
    }
    return NULL;
}

/* `answer` and `context` are the caller's to fill before. */
static void key_server_start(struct key_server *server)
{
    server->port = 0;
    server->fd = loopback_listen("127.0.0.1", &server->port, 0);
    assert_int_equal(pthread_create(&server->thread, NULL, key_server_run, server), 0);
}

static void key_server_stop(struct key_server *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
}

#endif
