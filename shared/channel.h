/* channel.h: typed, versioned, length-checked messages over a socketpair, with descriptors.
 *
 * A star: one SOCK_SEQPACKET socketpair between master and each child, at CHANNEL_FD in the child;
 * one message a packet. Messages are hints and orders; the truth is the scoreboard and the store.
 * A message from another process is outside input: size, version, type, sender and count of
 * descriptors are checked here, the payload by its owner.
 */
#ifndef GATEHOUSE_SHARED_CHANNEL_H
#define GATEHOUSE_SHARED_CHANNEL_H

#include "shared/slice.h"

#include <stdint.h>

enum { CHANNEL_PAYLOAD_MAX = 64 * 1024, CHANNEL_FDS_MAX = 4 };

enum message_type {
    MESSAGE_SETTINGS = 1,    /* reader -> master -> all: settings_encode */
    MESSAGE_READY,           /* child -> master: empty */
    MESSAGE_LISTENER,        /* master -> worker: struct message_listener, 1 descriptor */
    MESSAGE_UNLISTEN,        /* master -> worker: struct message_listener: give a lent slot back */
    MESSAGE_CERTIFICATE,     /* master -> worker: u32 index, 2 descriptors: certificate, key */
    MESSAGE_TICKET_KEYS,     /* master -> worker: struct message_ticket_keys */
    MESSAGE_START,           /* master -> worker: everything was sent: load, open, say READY */
    MESSAGE_RELOAD,          /* master -> watcher: read the documents again */
    MESSAGE_CHANGED,         /* watcher -> master -> workers: the generation moved */
    MESSAGE_KEY_WANTED,      /* worker -> master -> watcher: a config's name */
    MESSAGE_READER_CHECK,    /* master -> watcher, janitor: a process died */
    MESSAGE_LOG,             /* master -> child: 1 descriptor: the new log */
    MESSAGE_AUDIT,           /* master -> worker: 1 descriptor: the audit trail */
    MESSAGE_SESSIONS_ENDED,  /* janitor -> master -> a worker: session_end.h, for the audit trail */
    MESSAGE_DRAIN,           /* master -> child: finish what runs, then exit 0 */
    MESSAGE_STDIO_APPS,      /* collector -> master -> launcher, bridge, and the next collector:
                                stdio_apps_encode */
    MESSAGE_BRIDGE_LISTENER, /* master -> bridge: 1 descriptor: where workers connect */
    MESSAGE_SERVER_START,    /* bridge -> launcher: struct message_server_start */
    MESSAGE_SERVER_STARTED,  /* launcher -> bridge: struct message_server_started, 3 descriptors:
                                write end of standard input, read ends of output and error */
    MESSAGE_SERVER_FAILED,   /* launcher -> bridge: struct message_server_failed: not started */
    MESSAGE_SERVER_STOP,     /* bridge -> launcher: struct message_server_stop: end it, by force
                                where it must be; the bridge has closed its standard input */
    MESSAGE_SERVER_ENDED,    /* launcher -> bridge: struct message_server_ended: nothing of it is
                                left */
    MESSAGE_SERVERS_LOST,    /* master -> bridge: the launcher is not there: every server, and every
                                start under way, is over. master -> launcher: the bridge died: end
                                every server */
    MESSAGE_GUARD,           /* launcher -> guardian: stdio_app_encode, 3 descriptors: the server's
                                standard input, output and error */
    MESSAGE_GUARD_STARTED,   /* guardian -> launcher: struct message_guard_started */
    MESSAGE_GUARD_STOP,      /* launcher -> guardian: struct message_guard_stop */
    MESSAGE_GUARD_ENDED,     /* guardian -> launcher: i32: the server's status as waitpid gives it;
                                nothing of it is left */
    MESSAGE_TYPES,
};

/* `request` is the bridge's own number; a new bridge may get the answer to a dead one's request, so
 * numbers begin at a random one. */
enum { SERVER_APP_MAX = 63 }; /* a DNS label */
struct message_server_start {
    uint32_t request;
    uint32_t app_size; /* 1 to SERVER_APP_MAX */
    char app[SERVER_APP_MAX + 1];
};

struct message_server_started {
    uint64_t server; /* the launcher's number, never used twice */
    uint32_t request;
    uint32_t unused; /* 0 */
};

struct message_server_failed {
    uint32_t request;
    int32_t error; /* negative errno; -ENOENT: no such app is in force; -EAGAIN: no room now */
};

struct message_server_stop {
    uint64_t server;
};

struct message_server_ended {
    uint64_t server;
    int32_t status;  /* as waitpid gives it */
    uint32_t unused; /* 0 */
};

struct message_listener {
    uint32_t listener; /* index into settings.listeners */
    uint32_t slot;
};

/* Session ticket keys (RFC 5077, 4), shared by all workers: the first encrypts, all decrypt. */
enum { TICKET_KEYS_MAX = 3 };
struct message_ticket_keys {
    uint32_t count;
    uint8_t keys[TICKET_KEYS_MAX][80]; /* name 16, AES-256 key 32, HMAC key 32 */
};

/* How far the start of a server came. */
enum guard_stage {
    GUARD_RUNS,
    GUARD_FORK,      /* a process for it */
    GUARD_SESSION,   /* its session, parent-death signal and signals */
    GUARD_FILES,     /* its descriptors */
    GUARD_LIMITS,    /* its resource limits */
    GUARD_DIRECTORY, /* its working directory */
    GUARD_EXEC,      /* its command */
    GUARD_STAGES
};

struct message_guard_started {
    int32_t error;  /* 0, or negative errno */
    uint32_t stage; /* enum guard_stage: where the error was */
};

struct message_guard_stop {
    uint32_t term; /* milliseconds until SIGTERM */
    uint32_t kill; /* milliseconds from then to SIGKILL */
};

struct message {
    enum message_type type;
    struct slice payload; /* borrowed until the next channel_receive in this process */
    int fds[CHANNEL_FDS_MAX];
    size_t fd_count; /* the receiver owns them, and closes those that it does not use */
};

/* A pair of connected, close-on-exec, non-blocking descriptors. 0 or -errno. */
int channel_pair(int fds[2]);

/* 0, -EAGAIN when the peer does not read, -EPIPE when it is gone, -EMSGSIZE. `fds` are not
 * closed. */
int channel_send(int fd, enum message_type type, struct slice payload, const int *fds,
                 size_t fd_count);

/* 1 with a message; 0 when there is none now; -EPIPE at end of file; -EBADMSG for a message that
 * breaks the form (its descriptors are closed): the caller logs it and drops the sender. */
int channel_receive(int fd, struct message *out);

/* Closes the descriptors that came with a message and were not taken (set to -1). */
void message_close(struct message *message);

#endif
