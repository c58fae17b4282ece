/* settings.h: gatehouse.yaml as one value, and its message.
 *
 * The reader makes it from the document and sends it to master; master passes the same bytes on to
 * the watcher, janitor and workers. Privileged facts (addresses, users, paths) come this way only.
 * Master checks ranges again when it decodes: a message is outside input.
 */
#ifndef GATEHOUSE_SHARED_SETTINGS_H
#define GATEHOUSE_SHARED_SETTINGS_H

#include "shared/arena.h"
#include "shared/buffer.h"
#include "shared/log.h"
#include "shared/slice.h"

#include <stdint.h>
#include <sys/socket.h>

enum {
    SETTINGS_LISTENERS_MAX = 16,
    SETTINGS_CERTIFICATES_MAX = 32, /* of all listeners together */
    SETTINGS_WORKERS_MAX = 64,
    SETTINGS_NAMES_MAX = 32, /* allowed origins; allowed hosts */
    SETTINGS_STDIO_USERS_MAX = 32,
};

/* Below state_dir: where workers reach the bridge. */
#define SETTINGS_BRIDGE_DIRECTORY "bridge"
#define SETTINGS_BRIDGE_SOCKET SETTINGS_BRIDGE_DIRECTORY "/socket"

struct settings_certificate {
    struct slice certificate; /* absolute path of a PEM chain */
    struct slice key;         /* absolute path of its PEM key */
};

struct settings_listener {
    struct slice address; /* "127.0.0.1:8080", "[::1]:8080": numeric */
    bool admin;           /* /livez /readyz /metrics, and nothing else */
    bool tls;
    size_t first_certificate; /* index into certificates */
    size_t certificate_count;
};

struct settings_user {
    struct slice name; /* empty: stay who we are */
    uint32_t uid;
    uint32_t gid;
};

/* The audit trail: worker/audit.h. */
struct settings_audit {
    struct slice output; /* "stderr", or an absolute path; empty: no audit */
    bool arguments;      /* of tools, in the lines of calls */
    bool refuse;         /* requests, while a line cannot be written */
    uint64_t refusals;   /* lines a second that a worker writes of callers who proved nothing */
};

/* Times are milliseconds, sizes bytes. Defaults and reasons stand in conf/settings_schema.c. */
struct settings_limits {
    uint64_t connections;       /* a worker's client connections */
    uint64_t head_size;         /* bytes of a request's or response's head */
    uint64_t head_timeout;      /* from the first byte of a head to its end */
    uint64_t body_size;         /* bytes of a request's body */
    uint64_t body_timeout;      /* between two bytes of a request's body */
    uint64_t body_memory;       /* bytes of all bodies that a worker holds */
    uint64_t event_size;        /* bytes of an MCP server's message that is read */
    uint64_t idle_timeout;      /* a client connection without a request */
    uint64_t write_timeout;     /* a client that takes no byte of what waits for it */
    uint64_t tls_timeout;       /* a handshake */
    uint64_t connect_timeout;   /* to one upstream address */
    uint64_t response_timeout;  /* from the request's end to the response's head */
    uint64_t upstream_idle;     /* a pooled upstream connection */
    uint64_t upstream_pool;     /* idle upstream connections a worker keeps for one app */
    uint64_t stream_keepalive;  /* between keep-alive comments on a silent SSE stream; 0: none */
    uint64_t stream_grace;      /* that a stream lives longer than its token */
    uint64_t drain_timeout;     /* SIGTERM to the end */
    uint64_t watchdog;          /* silence after which a process is killed */
    uint64_t key_wait;          /* a request waiting for an unknown kid */
    uint64_t key_fetch_timeout; /* one fetch of a key set */
    uint64_t key_set_size;      /* bytes of a fetched key set */
    uint64_t max_stale;         /* age at which a key set that cannot be fetched is given up */
    uint64_t sessions_per_user;
    uint64_t mcp_session_idle; /* an MCP session that nobody uses */
    uint64_t mcp_task_ttl;     /* that a task of an MCP server is remembered after its last use */
    uint64_t reinitialize_timeout; /* a request that waits for its MCP session to be opened anew */
};

/* gate.stdio. Times are milliseconds, sizes bytes. */
struct settings_stdio {
    uint64_t max_servers;         /* at once, of all apps */
    uint64_t max_servers_per_app; /* where the app does not say */
    uint64_t idle_timeout;        /* a server that nobody uses */
    uint64_t leave_timeout;       /* a session whose client closed its own stream */
    uint64_t start_timeout;       /* from the order to the first byte of a line */
    uint64_t stop_timeout;        /* from the end of its standard input to SIGTERM */
    uint64_t kill_timeout;        /* from SIGTERM to SIGKILL */
    uint64_t line_size;           /* of a message that a server writes */
    uint64_t queue_size;          /* that wait for a server which does not read */
    uint64_t replay_size;         /* of a stream's events, kept for clients that come back */
};

struct settings {
    struct slice path;        /* of gatehouse.yaml, absolute */
    struct slice public_addr; /* "https://gate.example.com", without a path or trailing '/' */
    struct slice public_host; /* its host, lower case, without port */
    struct slice allowed_origins[SETTINGS_NAMES_MAX]; /* as browsers write them, beside our own */
    size_t allowed_origin_count;
    struct slice allowed_hosts[SETTINGS_NAMES_MAX]; /* names of the gate, beside public_host */
    size_t allowed_host_count;
    struct settings_listener listeners[SETTINGS_LISTENERS_MAX];
    size_t listener_count;
    struct settings_certificate certificates[SETTINGS_CERTIFICATES_MAX];
    size_t certificate_count;
    size_t workers;                    /* 1 to SETTINGS_WORKERS_MAX: "auto" is already a number */
    struct slice state_dir;            /* absolute */
    struct slice resources_dir;        /* absolute; empty: none */
    struct settings_user watcher_user; /* also reader and the config creator */
    struct settings_user worker_user;  /* also janitor and the sessions creator */
    struct settings_user bridge_user;  /* the worker's when none is named */
    struct slice log_output;           /* "stderr", or an absolute path */
    enum log_format log_format;
    enum log_level log_level;
    struct settings_audit audit;
    uint64_t config_map_size, session_map_size;
    bool session_cache; /* gate.session_cache */
    bool app_service;   /* app_service.enabled */
    bool debug_app;
    struct settings_limits limits;
    struct settings_stdio stdio;
    struct settings_user stdio_users[SETTINGS_STDIO_USERS_MAX]; /* who stdio servers may run as */
    size_t stdio_user_count;
};

int settings_encode(const struct settings *settings, struct buffer *out);
/* Copies everything into the arena. 0 or -EBADMSG, -ENOMEM. */
int settings_decode(struct slice bytes, struct arena *arena, struct settings *out);

/* A numeric "host:port" or "[host]:port" as a socket address. 0 or -EINVAL. */
int settings_address(struct slice text, struct sockaddr_storage *address, socklen_t *size);

#endif
