#include "conf/settings_schema.h"

#include "conf/scalar.h"
#include "shared/uri.h"

#include <stddef.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

#define FORM(field) .offset = offsetof(struct settings_form, field)
#define LIMIT(field) .path = "gate.limits." #field, FORM(settings.limits.field)
#define STDIO(field) .path = "gate.stdio." #field, FORM(settings.stdio.field)

static const char *const versions[] = {"v1", NULL};
static const char *const kinds[] = {"gatehouse", NULL};
static const char *const log_formats[] = {"text", "json", NULL};       /* log_format */
static const char *const audit_failures[] = {"serve", "refuse", NULL}; /* settings.audit.refuse */
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL}; /* log_level */

static const char *workers_check(struct slice text)
{
    uint64_t number;

    if (slice_is(text, "auto") ||
        (scalar_integer(text, &number) && number >= 1 && number <= SETTINGS_WORKERS_MAX))
        return NULL;
    return "must be auto or a number from 1 to 64";
}

/* As browsers write it in Origin, since it is compared byte for byte. */
static const char *origin_check(struct slice text)
{
    const char *reason;
    struct uri uri;

    if (uri_parse(text, &uri, &reason) != 0)
        return reason;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] >= 'A' && text.data[i] <= 'Z')
            return "must be in lower case";
    if (!slice_is(uri.scheme, "https") && !slice_is(uri.scheme, "http"))
        return "must begin with https:// or http://";
    if (uri.path.size > 0 || uri.query.size > 0)
        return "must end with the host or its port";
    if (uri.port_given && uri.port == (uri.tls ? 443 : 80))
        return "must not name the scheme's own port";
    return NULL;
}

static const char *host_check(struct slice text)
{
    return uri_is_dns_name(text) ? NULL : "must be a host name, without a port";
}

static const struct schema_row settings_rows[] = {
    {.path = "version",
     .type = SCHEMA_CHOICE,
     .required = true,
     FORM(version),
     .choices = versions},
    {.path = "kind", .type = SCHEMA_CHOICE, .required = true, FORM(kind), .choices = kinds},
    {.path = "gate", .type = SCHEMA_MAPPING, .required = true},
    /* What clients type. Resource identifiers and metadata are made of it, never of Host. */
    {.path = "gate.public_addr",
     .type = SCHEMA_STRING,
     .required = true,
     FORM(settings.public_addr),
     .hint = "such as https://gate.example.com"},
    /* Pages of other sites that may talk to MCP apps; none, unless one says so. */
    {.path = "gate.allowed_origins",
     .type = SCHEMA_STRINGS,
     FORM(allowed_origins),
     .low = 0,
     .high = SETTINGS_NAMES_MAX,
     .check = origin_check,
     .hint = "such as https://inspector.example.com"},
    /* Other names that reach the gate, as behind a balancer. A Host of any other name is refused:
     * it may be a stranger's, rebound to our address. */
    {.path = "gate.allowed_hosts",
     .type = SCHEMA_STRINGS,
     FORM(allowed_hosts),
     .low = 0,
     .high = SETTINGS_NAMES_MAX,
     .check = host_check,
     .hint = "such as gate.internal"},
    /* One less than SETTINGS_LISTENERS_MAX: admin_listen takes the last. */
    {.path = "gate.listen",
     .type = SCHEMA_LIST,
     .required = true,
     FORM(listen),
     .low = 1,
     .high = SETTINGS_LISTENERS_MAX - 1,
     .hint = "such as listen: [{address: 127.0.0.1:8080}]"},
    {.path = "gate.admin_listen", .type = SCHEMA_STRING, FORM(admin_listen)},
    /* One a core: the loop never waits, so more would only take turns. */
    {.path = "gate.workers",
     .type = SCHEMA_STRING,
     FORM(workers),
     .fallback = "auto",
     .check = workers_check},
    {.path = "gate.state_dir",
     .type = SCHEMA_PATH,
     FORM(settings.state_dir),
     .fallback = "/var/lib/gatehouse"},
    {.path = "gate.resources_dir", .type = SCHEMA_PATH, FORM(settings.resources_dir)},
    /* Two users: a worker that is taken over cannot write what all workers believe. */
    {.path = "gate.users", .type = SCHEMA_MAPPING},
    {.path = "gate.users.watcher", .type = SCHEMA_STRING, .required = true, FORM(watcher_user)},
    {.path = "gate.users.worker", .type = SCHEMA_STRING, .required = true, FORM(worker_user)},
    /* Owns the pipes of stdio servers and upstream streams; the worker's when none is named. */
    {.path = "gate.users.bridge", .type = SCHEMA_STRING, FORM(bridge_user)},
    {.path = "gate.log", .type = SCHEMA_MAPPING},
    {.path = "gate.log.output",
     .type = SCHEMA_STRING,
     FORM(settings.log_output),
     .fallback = "stderr"},
    {.path = "gate.log.format",
     .type = SCHEMA_CHOICE,
     FORM(settings.log_format),
     .fallback = "text",
     .choices = log_formats},
    {.path = "gate.log.level",
     .type = SCHEMA_CHOICE,
     FORM(settings.log_level),
     .fallback = "info",
     .choices = log_levels},
    /* Who did what, a line of JSON each. None, unless one says where to. */
    {.path = "gate.audit", .type = SCHEMA_MAPPING},
    {.path = "gate.audit.output",
     .type = SCHEMA_STRING,
     .required = true,
     FORM(settings.audit.output),
     .hint = "such as output: /var/log/gatehouse/audit.jsonl, or stderr"},
    /* What a tool is given may be secret, and stays in the file: only where one says so. */
    {.path = "gate.audit.arguments", .type = SCHEMA_BOOL, FORM(settings.audit.arguments)},
    /* A full disk: to stop working, or to work unrecorded, is the operator's to choose. */
    {.path = "gate.audit.on_failure",
     .type = SCHEMA_CHOICE,
     FORM(audit_failure),
     .fallback = "serve",
     .choices = audit_failures},
    /* Of one worker, a second, for callers who proved nothing: strangers must not fill the disk.
     * What is left out is counted in a line. 0: every one is written. */
    {.path = "gate.audit.refusals",
     .type = SCHEMA_INTEGER,
     FORM(settings.audit.refusals),
     .low = 0,
     .high = 1000000,
     .fallback = "100"},
    /* Address space, not memory or disk: LMDB's files grow as they fill. A map that is too small
     * refuses new sessions. */
    {.path = "gate.store", .type = SCHEMA_MAPPING},
    {.path = "gate.store.config_map_size",
     .type = SCHEMA_SIZE,
     FORM(settings.config_map_size),
     .low = 16 * MIB,
     .high = 1024 * GIB,
     .fallback = "1GiB"},
    {.path = "gate.store.session_map_size",
     .type = SCHEMA_SIZE,
     FORM(settings.session_map_size),
     .low = 16 * MIB,
     .high = 1024 * GIB,
     .fallback = "1GiB"},

    /* A stored session stands for its token's signature. false: each request's is checked again,
     * for who trusts nothing but the keys, at some 20 microseconds of RSA a request. */
    {.path = "gate.session_cache",
     .type = SCHEMA_BOOL,
     FORM(settings.session_cache),
     .fallback = "true"},
    {.path = "gate.limits", .type = SCHEMA_MAPPING},
    /* Of one worker. Each costs a descriptor and some KiB, and a second descriptor upstream. */
    {LIMIT(connections), .type = SCHEMA_INTEGER, .low = 1, .high = 1000000, .fallback = "20000"},
    /* Tokens with many groups reach 8 KiB; twice that leaves room for cookies. */
    {LIMIT(head_size), .type = SCHEMA_SIZE, .low = 4 * KIB, .high = 256 * KIB, .fallback = "16KiB"},
    /* A head is a packet or two: who takes longer holds connections on purpose. */
    {LIMIT(head_timeout), .type = SCHEMA_DURATION, .low = 100, .high = 5 * MINUTE,
     .fallback = "10s"},
    /* Tool arguments with a file in them; a message beyond is 413. */
    {LIMIT(body_size), .type = SCHEMA_SIZE, .low = KIB, .high = GIB, .fallback = "10MiB"},
    {LIMIT(body_timeout), .type = SCHEMA_DURATION, .low = 100, .high = 10 * MINUTE,
     .fallback = "30s"},
    /* 25 bodies of the largest size at once; beyond it a worker answers 503 and stays alive. */
    {LIMIT(body_memory), .type = SCHEMA_SIZE, .low = MIB, .high = 64 * GIB, .fallback = "256MiB"},
    /* One message of an MCP server's, where it has to be read: held until it is complete. A result
     * with a file in it, as in body_size; larger ones are errors for callers whom a rule narrows.
     */
    {LIMIT(event_size), .type = SCHEMA_SIZE, .low = 64 * KIB, .high = GIB, .fallback = "10MiB"},
    /* More than the 60 s after which most clients and balancers close, so that they do it. */
    {LIMIT(idle_timeout), .type = SCHEMA_DURATION, .low = 100, .high = HOUR, .fallback = "75s"},
    /* A reader that takes nothing at all; a slow one resets it with every byte. */
    {LIMIT(write_timeout), .type = SCHEMA_DURATION, .low = 100, .high = HOUR, .fallback = "60s"},
    {LIMIT(tls_timeout), .type = SCHEMA_DURATION, .low = 100, .high = MINUTE, .fallback = "10s"},
    /* To one address; with several, the next is tried while the client still waits. */
    {LIMIT(connect_timeout), .type = SCHEMA_DURATION, .low = 100, .high = MINUTE, .fallback = "5s"},
    /* A tool may work long before its first byte; streams have no limit in all. */
    {LIMIT(response_timeout), .type = SCHEMA_DURATION, .low = 100, .high = HOUR, .fallback = "60s"},
    /* Below the 5 s after which node's servers close idle connections: reusing one that is just
     * being closed would lose the request. */
    {LIMIT(upstream_idle), .type = SCHEMA_DURATION, .low = 0, .high = 10 * MINUTE,
     .fallback = "4s"},
    {LIMIT(upstream_pool), .type = SCHEMA_INTEGER, .low = 0, .high = 10000, .fallback = "64"},
    /* Well below the 30 to 60 s after which home routers forget a silent connection. 0: none. */
    {LIMIT(stream_keepalive), .type = SCHEMA_DURATION, .low = 0, .high = 10 * MINUTE,
     .fallback = "15s"},
    /* A stream ends with its token; clients that refresh late may be given a little longer. */
    {LIMIT(stream_grace), .type = SCHEMA_DURATION, .low = 0, .high = HOUR, .fallback = "0s"},
    /* Service managers kill after 90 s. */
    {LIMIT(drain_timeout), .type = SCHEMA_DURATION, .low = 0, .high = HOUR, .fallback = "30s"},
    /* Ten missed heartbeats: a busy machine does not look like a hung process. */
    {LIMIT(watchdog), .type = SCHEMA_DURATION, .low = 2 * SECOND, .high = 10 * MINUTE,
     .fallback = "10s"},
    /* A fetch of the key set takes less, unless the identity provider is down. */
    {LIMIT(key_wait), .type = SCHEMA_DURATION, .low = 0, .high = 30 * SECOND, .fallback = "2s"},
    {LIMIT(key_fetch_timeout), .type = SCHEMA_DURATION, .low = 100, .high = MINUTE,
     .fallback = "5s"},
    /* Real sets are a few KiB. */
    {LIMIT(key_set_size), .type = SCHEMA_SIZE, .low = KIB, .high = MIB, .fallback = "1MiB"},
    /* A day of a provider's outage disturbs nobody; a key that was withdrawn meanwhile is trusted
     * no longer than that. Sets are fetched at least twice in this time. */
    {LIMIT(max_stale), .type = SCHEMA_DURATION, .low = 2 * MINUTE, .high = 7 * 24 * HOUR,
     .fallback = "24h"},
    /* Every new token makes a session: more than one every 4 s for an hour is a fault, or an
     * attack on the store. */
    {.path = "gate.limits.max_sessions_per_user",
     .type = SCHEMA_INTEGER,
     FORM(settings.limits.sessions_per_user),
     .low = 1,
     .high = 1000000,
     .fallback = "1000"},
    /* Clients seldom end their sessions (DELETE); servers forget them after as long. */
    {LIMIT(mcp_session_idle), .type = SCHEMA_DURATION, .low = SECOND, .high = 24 * HOUR,
     .fallback = "30m"},
    /* What a server says of a task's time counts up to here; a person who is to approve something
     * is back the next day. */
    {LIMIT(mcp_task_ttl), .type = SCHEMA_DURATION, .low = SECOND, .high = 30 * 24 * HOUR,
     .fallback = "24h"},
    /* Two connections, and an initialize that loads what the server needs; clients wait 60 s. */
    {LIMIT(reinitialize_timeout), .type = SCHEMA_DURATION, .low = 100, .high = MINUTE,
     .fallback = "10s"},

    {.path = "gate.stdio", .type = SCHEMA_MAPPING},
    /* Who `run_as_host_user` of an app may name; nobody, unless one says so. Never root. */
    {.path = "gate.stdio.users",
     .type = SCHEMA_STRINGS,
     FORM(stdio_users),
     .low = 0,
     .high = SETTINGS_STDIO_USERS_MAX,
     .hint = "such as users: [mcp-tools]"},
    /* Of all apps. A server is a process of tens of MiB, with a guardian and three pipes. */
    {STDIO(max_servers), .type = SCHEMA_INTEGER, .low = 1, .high = 10000, .fallback = "256"},
    {STDIO(max_servers_per_app), .type = SCHEMA_INTEGER, .low = 1, .high = 10000, .fallback = "64"},
    /* Clients leave without a word; half of mcp_session_idle gives the memory back sooner. */
    {STDIO(idle_timeout), .type = SCHEMA_DURATION, .low = SECOND, .high = 24 * HOUR,
     .fallback = "15m"},
    /* The SDKs' clients come back for a stream that broke after 1 s, and 1.5 s later, and no more.
     */
    {STDIO(leave_timeout), .type = SCHEMA_DURATION, .low = 0, .high = 24 * HOUR, .fallback = "3s"},
    /* An interpreter that loads its packages from a cold disk. */
    {STDIO(start_timeout), .type = SCHEMA_DURATION, .low = 100, .high = 10 * MINUTE,
     .fallback = "30s"},
    /* A server ends when its standard input does (MCP, transports, stdio, shutdown); the SDKs'
     * clients wait as long, both times. */
    {STDIO(stop_timeout), .type = SCHEMA_DURATION, .low = 0, .high = MINUTE, .fallback = "2s"},
    {STDIO(kill_timeout), .type = SCHEMA_DURATION, .low = 0, .high = MINUTE, .fallback = "2s"},
    /* As a request's body: a file as the result of a tool. */
    {STDIO(line_size), .type = SCHEMA_SIZE, .low = 4 * KIB, .high = GIB, .fallback = "10MiB"},
    /* One message of the largest size, and some more. */
    {STDIO(queue_size), .type = SCHEMA_SIZE, .low = 4 * KIB, .high = GIB, .fallback = "16MiB"},
    /* Some hundred events of a usual size, for a client that lost its connection. */
    {STDIO(replay_size), .type = SCHEMA_SIZE, .low = 0, .high = GIB, .fallback = "256KiB"},

    {.path = "app_service", .type = SCHEMA_MAPPING},
    {.path = "app_service.enabled",
     .type = SCHEMA_BOOL,
     FORM(settings.app_service),
     .fallback = "true"},
    {.path = "app_service.debug_app", .type = SCHEMA_BOOL, FORM(settings.debug_app)},
    {.path = "app_service.apps", .type = SCHEMA_LIST, FORM(apps)},
    {.path = "app_service.mcp_demo_server",
     .type = SCHEMA_REFUSED,
     .hint = "run gatehouse demo-server, and name it in apps"},
    {.path = "app_service.resources",
     .type = SCHEMA_REFUSED,
     .hint = "all `kind: app` documents of gate.resources_dir are served"},
};

const struct schema settings_schema = {.rows = settings_rows,
                                       .count = sizeof(settings_rows) / sizeof(settings_rows[0])};

static const struct schema_row listener_rows[] = {
    {.path = "address",
     .type = SCHEMA_STRING,
     .required = true,
     .offset = offsetof(struct listener_form, address),
     .hint = "such as 0.0.0.0:443 or [::]:443"},
    {.path = "tls", .type = SCHEMA_MAPPING},
    {.path = "tls.certificates",
     .type = SCHEMA_LIST,
     .required = true,
     .offset = offsetof(struct listener_form, certificates),
     .low = 1,
     .high = SETTINGS_CERTIFICATES_MAX,
     .hint = "such as certificates: [{certificate: gate.crt, key: gate.key}]"},
    /* Tokens over plain HTTP can be read on the way: only where one says so. */
    {.path = "insecure", .type = SCHEMA_BOOL, .offset = offsetof(struct listener_form, insecure)},
};

const struct schema listener_schema = {.rows = listener_rows,
                                       .count = sizeof(listener_rows) / sizeof(listener_rows[0])};

static const struct schema_row certificate_rows[] = {
    {.path = "certificate",
     .type = SCHEMA_PATH,
     .required = true,
     .offset = offsetof(struct settings_certificate, certificate)},
    {.path = "key",
     .type = SCHEMA_PATH,
     .required = true,
     .offset = offsetof(struct settings_certificate, key)},
};

const struct schema certificate_schema = {
    .rows = certificate_rows, .count = sizeof(certificate_rows) / sizeof(certificate_rows[0])};
