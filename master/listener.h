/* listener.h: one listening socket for each (listener of the settings, worker slot).
 *
 * SO_REUSEPORT spreads connections over the slots; master owns every socket, so that a crashed
 * worker's accept queue outlives it. Bound by master (ports under 1024 need its privilege), never
 * accepted on here.
 */
#ifndef GATEHOUSE_MASTER_LISTENER_H
#define GATEHOUSE_MASTER_LISTENER_H

#include "shared/settings.h"

struct listener {
    struct sockaddr_storage address; /* as the settings say: the port may be 0 */
    struct sockaddr_storage bound;   /* as the kernel says */
    socklen_t size;
    bool admin;
    int fds[SETTINGS_WORKERS_MAX]; /* owned; -1 where there is none */
};

struct listener_set {
    struct listener listeners[SETTINGS_LISTENERS_MAX];
    size_t count;
    size_t slots; /* with a socket: the workers, and those of a greater number before */
};

/* Binds for every listener and worker; sockets of `old` (or NULL) with the same address are
 * duplicated, those of slots beyond the workers as well: closing one would reset what is queued on
 * it. 0, or -errno with *failed, the listener's index; *out is then closed. */
int listener_open(struct listener_set *out, const struct settings *settings,
                  const struct listener_set *old, size_t *failed);
void listener_close(struct listener_set *set);

/* "127.0.0.1:8080" or "[::1]:8080". */
void listener_text(const struct listener *listener, char *out, size_t room);

#endif
