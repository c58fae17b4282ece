#include "shared/settings.h"

#include "shared/record.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>

enum { SETTINGS_VERSION = '1' };

/* 2^53: beyond every sensible size and time, far from every overflow. */
static const int64_t settings_number_max = INT64_C(1) << 53;
static const int64_t settings_map_size_min = 1 << 20;
static const int64_t settings_watchdog_min = 1000; /* a heartbeat comes once a second */

static const struct settings_limit {
    const char *name;
    size_t offset;
    bool zero; /* 0 is a value: "none" */
} settings_limit_fields[] = {
    {"connections", offsetof(struct settings_limits, connections), false},
    {"head_size", offsetof(struct settings_limits, head_size), false},
    {"head_timeout", offsetof(struct settings_limits, head_timeout), false},
    {"body_size", offsetof(struct settings_limits, body_size), false},
    {"body_timeout", offsetof(struct settings_limits, body_timeout), false},
    {"body_memory", offsetof(struct settings_limits, body_memory), false},
    {"event_size", offsetof(struct settings_limits, event_size), false},
    {"idle_timeout", offsetof(struct settings_limits, idle_timeout), false},
    {"write_timeout", offsetof(struct settings_limits, write_timeout), false},
    {"tls_timeout", offsetof(struct settings_limits, tls_timeout), false},
    {"connect_timeout", offsetof(struct settings_limits, connect_timeout), false},
    {"response_timeout", offsetof(struct settings_limits, response_timeout), false},
    {"upstream_idle", offsetof(struct settings_limits, upstream_idle), true},
    {"upstream_pool", offsetof(struct settings_limits, upstream_pool), true},
    {"stream_keepalive", offsetof(struct settings_limits, stream_keepalive), true},
    {"stream_grace", offsetof(struct settings_limits, stream_grace), true},
    {"drain_timeout", offsetof(struct settings_limits, drain_timeout), true},
    {"watchdog", offsetof(struct settings_limits, watchdog), false},
    {"key_wait", offsetof(struct settings_limits, key_wait), true},
    {"key_fetch_timeout", offsetof(struct settings_limits, key_fetch_timeout), false},
    {"key_set_size", offsetof(struct settings_limits, key_set_size), false},
    {"max_stale", offsetof(struct settings_limits, max_stale), false},
    {"sessions_per_user", offsetof(struct settings_limits, sessions_per_user), false},
    {"mcp_session_idle", offsetof(struct settings_limits, mcp_session_idle), false},
    {"mcp_task_ttl", offsetof(struct settings_limits, mcp_task_ttl), false},
    {"reinitialize_timeout", offsetof(struct settings_limits, reinitialize_timeout), false},
};

enum { SETTINGS_LIMIT_FIELDS = sizeof(settings_limit_fields) / sizeof(settings_limit_fields[0]) };

_Static_assert(SETTINGS_LIMIT_FIELDS * sizeof(uint64_t) == sizeof(struct settings_limits),
               "every limit is in the table");

static const struct settings_limit settings_stdio_fields[] = {
    {"max_servers", offsetof(struct settings_stdio, max_servers), false},
    {"max_servers_per_app", offsetof(struct settings_stdio, max_servers_per_app), false},
    {"idle_timeout", offsetof(struct settings_stdio, idle_timeout), false},
    {"leave_timeout", offsetof(struct settings_stdio, leave_timeout), true},
    {"start_timeout", offsetof(struct settings_stdio, start_timeout), false},
    {"stop_timeout", offsetof(struct settings_stdio, stop_timeout), true},
    {"kill_timeout", offsetof(struct settings_stdio, kill_timeout), true},
    {"line_size", offsetof(struct settings_stdio, line_size), false},
    {"queue_size", offsetof(struct settings_stdio, queue_size), false},
    {"replay_size", offsetof(struct settings_stdio, replay_size), true},
};

enum { SETTINGS_STDIO_FIELDS = sizeof(settings_stdio_fields) / sizeof(settings_stdio_fields[0]) };

_Static_assert(SETTINGS_STDIO_FIELDS * sizeof(uint64_t) == sizeof(struct settings_stdio),
               "every number of gate.stdio is in the table");

static void settings_put_limits(struct record_writer *writer, const struct settings_limit *fields,
                                size_t count, const void *limits)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value;

        memcpy(&value, (const char *)limits + fields[i].offset, sizeof(value));
        record_put_number(writer, fields[i].name, (int64_t)value);
    }
}

static void settings_get_limits(struct record_reader *reader, const struct settings_limit *fields,
                                size_t count, void *limits)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = (uint64_t)record_get_range(reader, fields[i].name, fields[i].zero ? 0 : 1,
                                                    settings_number_max);

        memcpy((char *)limits + fields[i].offset, &value, sizeof(value));
    }
}

static void settings_put_listeners(struct record_writer *writer, const struct settings *settings)
{
    for (size_t i = 0; i < settings->listener_count; i++) {
        const struct settings_listener *listener = &settings->listeners[i];

        record_put(writer, "address", listener->address);
        record_put_number(writer, "admin", listener->admin);
        record_put_number(writer, "tls", listener->tls);
        record_put_number(writer, "first", (int64_t)listener->first_certificate);
        record_put_number(writer, "certificates", (int64_t)listener->certificate_count);
    }
}

/* Out of place by itself: settings_listeners_fit compares with the certificates. */
static void settings_get_listener(struct record_reader *reader, struct settings_listener *out)
{
    out->address = record_get(reader, "address");
    out->admin = record_get_range(reader, "admin", 0, 1) == 1;
    out->tls = record_get_range(reader, "tls", 0, 1) == 1;
    out->first_certificate =
        (size_t)record_get_range(reader, "first", 0, SETTINGS_CERTIFICATES_MAX);
    out->certificate_count =
        (size_t)record_get_range(reader, "certificates", 0, SETTINGS_CERTIFICATES_MAX);
}

static void settings_get_listeners(struct record_reader *reader, struct settings *out)
{
    while (record_next_is(reader, "address") && !reader->failed) {
        if (out->listener_count == SETTINGS_LISTENERS_MAX) {
            reader->failed = true;
            return;
        }
        settings_get_listener(reader, &out->listeners[out->listener_count++]);
    }
}

static void settings_put_certificates(struct record_writer *writer, const struct settings *settings)
{
    for (size_t i = 0; i < settings->certificate_count; i++) {
        record_put(writer, "certificate", settings->certificates[i].certificate);
        record_put(writer, "key", settings->certificates[i].key);
    }
}

static void settings_get_certificates(struct record_reader *reader, struct settings *out)
{
    while (record_next_is(reader, "certificate") && !reader->failed) {
        struct settings_certificate *certificate;

        if (out->certificate_count == SETTINGS_CERTIFICATES_MAX) {
            reader->failed = true;
            return;
        }
        certificate = &out->certificates[out->certificate_count++];
        certificate->certificate = record_get(reader, "certificate");
        certificate->key = record_get(reader, "key");
    }
}

static void settings_put_user(struct record_writer *writer, const char *name,
                              const struct settings_user *user)
{
    record_put(writer, name, user->name);
    record_put_number(writer, "uid", user->uid);
    record_put_number(writer, "gid", user->gid);
}

static void settings_get_user(struct record_reader *reader, const char *name,
                              struct settings_user *out)
{
    out->name = record_get(reader, name);
    out->uid = (uint32_t)record_get_range(reader, "uid", 0, UINT32_MAX - 1);
    out->gid = (uint32_t)record_get_range(reader, "gid", 0, UINT32_MAX - 1);
}

static void settings_get_stdio_users(struct record_reader *reader, struct settings *out)
{
    while (out->stdio_user_count < SETTINGS_STDIO_USERS_MAX && record_next_is(reader, "stdio_user"))
        settings_get_user(reader, "stdio_user", &out->stdio_users[out->stdio_user_count++]);
}

static void settings_put_audit(struct record_writer *writer, const struct settings_audit *audit)
{
    record_put(writer, "audit_output", audit->output);
    record_put_number(writer, "audit_arguments", audit->arguments);
    record_put_number(writer, "audit_refuse", audit->refuse);
    record_put_number(writer, "audit_refusals", (int64_t)audit->refusals);
}

static void settings_get_audit(struct record_reader *reader, struct settings_audit *out)
{
    out->output = record_get(reader, "audit_output");
    out->arguments = record_get_range(reader, "audit_arguments", 0, 1) == 1;
    out->refuse = record_get_range(reader, "audit_refuse", 0, 1) == 1;
    out->refusals = (uint64_t)record_get_range(reader, "audit_refusals", 0, settings_number_max);
}

int settings_encode(const struct settings *settings, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, SETTINGS_VERSION);
    record_put(&writer, "path", settings->path);
    record_put(&writer, "public_addr", settings->public_addr);
    record_put(&writer, "public_host", settings->public_host);
    for (size_t i = 0; i < settings->allowed_origin_count; i++)
        record_put(&writer, "allowed_origin", settings->allowed_origins[i]);
    for (size_t i = 0; i < settings->allowed_host_count; i++)
        record_put(&writer, "allowed_host", settings->allowed_hosts[i]);
    settings_put_certificates(&writer, settings);
    settings_put_listeners(&writer, settings);
    record_put_number(&writer, "workers", (int64_t)settings->workers);
    record_put(&writer, "state_dir", settings->state_dir);
    record_put(&writer, "resources_dir", settings->resources_dir);
    settings_put_user(&writer, "watcher", &settings->watcher_user);
    settings_put_user(&writer, "worker", &settings->worker_user);
    settings_put_user(&writer, "bridge", &settings->bridge_user);
    record_put(&writer, "log_output", settings->log_output);
    record_put_number(&writer, "log_format", settings->log_format);
    record_put_number(&writer, "log_level", settings->log_level);
    settings_put_audit(&writer, &settings->audit);
    record_put_number(&writer, "config_map_size", (int64_t)settings->config_map_size);
    record_put_number(&writer, "session_map_size", (int64_t)settings->session_map_size);
    record_put_number(&writer, "session_cache", settings->session_cache);
    record_put_number(&writer, "app_service", settings->app_service);
    record_put_number(&writer, "debug_app", settings->debug_app);
    settings_put_limits(&writer, settings_limit_fields, SETTINGS_LIMIT_FIELDS, &settings->limits);
    for (size_t i = 0; i < settings->stdio_user_count; i++)
        settings_put_user(&writer, "stdio_user", &settings->stdio_users[i]);
    settings_put_limits(&writer, settings_stdio_fields, SETTINGS_STDIO_FIELDS, &settings->stdio);
    return record_finish(&writer);
}

static void settings_get(struct record_reader *reader, struct settings *out)
{
    out->path = record_get(reader, "path");
    out->public_addr = record_get(reader, "public_addr");
    out->public_host = record_get(reader, "public_host");
    out->allowed_origin_count =
        record_get_list(reader, "allowed_origin", out->allowed_origins, SETTINGS_NAMES_MAX);
    out->allowed_host_count =
        record_get_list(reader, "allowed_host", out->allowed_hosts, SETTINGS_NAMES_MAX);
    settings_get_certificates(reader, out);
    settings_get_listeners(reader, out);
    out->workers = (size_t)record_get_range(reader, "workers", 1, SETTINGS_WORKERS_MAX);
    out->state_dir = record_get(reader, "state_dir");
    out->resources_dir = record_get(reader, "resources_dir");
    settings_get_user(reader, "watcher", &out->watcher_user);
    settings_get_user(reader, "worker", &out->worker_user);
    settings_get_user(reader, "bridge", &out->bridge_user);
    out->log_output = record_get(reader, "log_output");
    out->log_format = (enum log_format)record_get_range(reader, "log_format", LOG_TEXT, LOG_JSON);
    out->log_level = (enum log_level)record_get_range(reader, "log_level", LOG_ERROR, LOG_DEBUG);
    settings_get_audit(reader, &out->audit);
    out->config_map_size = (uint64_t)record_get_range(reader, "config_map_size",
                                                      settings_map_size_min, settings_number_max);
    out->session_map_size = (uint64_t)record_get_range(reader, "session_map_size",
                                                       settings_map_size_min, settings_number_max);
    out->session_cache = record_get_range(reader, "session_cache", 0, 1) == 1;
    out->app_service = record_get_range(reader, "app_service", 0, 1) == 1;
    out->debug_app = record_get_range(reader, "debug_app", 0, 1) == 1;
    settings_get_limits(reader, settings_limit_fields, SETTINGS_LIMIT_FIELDS, &out->limits);
    settings_get_stdio_users(reader, out);
    settings_get_limits(reader, settings_stdio_fields, SETTINGS_STDIO_FIELDS, &out->stdio);
}

/* Paths are given to open(2), so a NUL would cut them; relative ones would lead elsewhere. */
static bool settings_path_fits(struct slice path)
{
    return path.size > 0 && path.data[0] == '/' && memchr(path.data, '\0', path.size) == NULL;
}

static bool settings_listeners_fit(const struct settings *settings)
{
    for (size_t i = 0; i < settings->listener_count; i++) {
        const struct settings_listener *listener = &settings->listeners[i];
        struct sockaddr_storage address;
        socklen_t size;

        if (settings_address(listener->address, &address, &size) != 0 ||
            listener->first_certificate + listener->certificate_count >
                settings->certificate_count ||
            listener->tls != (listener->certificate_count > 0))
            return false;
    }
    return settings->listener_count > 0;
}

static bool settings_output_fits(struct slice output)
{
    return slice_is(output, "stderr") || settings_path_fits(output);
}

static bool settings_paths_fit(const struct settings *settings)
{
    for (size_t i = 0; i < settings->certificate_count; i++)
        if (!settings_path_fits(settings->certificates[i].certificate) ||
            !settings_path_fits(settings->certificates[i].key))
            return false;
    return settings_path_fits(settings->path) && settings_path_fits(settings->state_dir) &&
           (settings->resources_dir.size == 0 || settings_path_fits(settings->resources_dir)) &&
           settings_output_fits(settings->log_output) &&
           (settings->audit.output.size == 0 || settings_output_fits(settings->audit.output));
}

/* A service user that is root would make every drop of privileges an empty gesture. */
static bool settings_user_fits(const struct settings_user *user)
{
    return user->name.size == 0 || (user->uid != 0 && user->gid != 0);
}

static bool settings_stdio_users_fit(const struct settings *settings)
{
    for (size_t i = 0; i < settings->stdio_user_count; i++)
        if (settings->stdio_users[i].name.size == 0 ||
            !settings_user_fits(&settings->stdio_users[i]))
            return false;
    return true;
}

static bool settings_fit(const struct settings *settings)
{
    return settings->public_addr.size > 0 && settings->public_host.size > 0 &&
           settings_listeners_fit(settings) && settings_paths_fit(settings) &&
           settings_user_fits(&settings->watcher_user) &&
           settings_user_fits(&settings->worker_user) &&
           settings_user_fits(&settings->bridge_user) && settings_stdio_users_fit(settings) &&
           settings->limits.watchdog >= (uint64_t)settings_watchdog_min;
}

int settings_decode(struct slice bytes, struct arena *arena, struct settings *out)
{
    struct slice copy = arena_copy(arena, bytes);
    struct record_reader reader;

    *out = (struct settings){0};
    if (copy.data == NULL)
        return -ENOMEM;
    record_open(&reader, copy, SETTINGS_VERSION);
    settings_get(&reader, out);
    if (record_end(&reader) != 0 || !settings_fit(out)) {
        *out = (struct settings){0};
        return -EBADMSG;
    }
    return 0;
}

static int settings_port(struct slice text, uint16_t *port)
{
    unsigned number = 0;

    if (text.size == 0 || text.size > 5)
        return -EINVAL;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -EINVAL;
        number = number * 10 + (unsigned)(text.data[i] - '0');
    }
    if (number == 0 || number > UINT16_MAX)
        return -EINVAL;
    *port = (uint16_t)number;
    return 0;
}

/* Splits at the last ':'; takes the brackets off an IPv6 address. */
static int settings_split(struct slice text, char host[INET6_ADDRSTRLEN], bool *brackets,
                          uint16_t *port)
{
    const char *colon = text.size == 0 ? NULL : memrchr(text.data, ':', text.size);
    struct slice name;

    if (colon == NULL)
        return -EINVAL;
    name = slice_make(text.data, (size_t)(colon - text.data));
    *brackets = name.size >= 2 && name.data[0] == '[' && name.data[name.size - 1] == ']';
    if (*brackets)
        name = slice_make(name.data + 1, name.size - 2);
    if (name.size == 0 || name.size >= INET6_ADDRSTRLEN ||
        memchr(name.data, '\0', name.size) != NULL)
        return -EINVAL;
    memcpy(host, name.data, name.size);
    host[name.size] = '\0';
    return settings_port(slice_skip(text, (size_t)(colon - text.data) + 1), port);
}

int settings_address(struct slice text, struct sockaddr_storage *address, socklen_t *size)
{
    struct sockaddr_in *four = (struct sockaddr_in *)address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
    char host[INET6_ADDRSTRLEN];
    bool brackets;
    uint16_t port;

    *address = (struct sockaddr_storage){0};
    if (settings_split(text, host, &brackets, &port) != 0)
        return -EINVAL;
    if (!brackets && inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        *size = sizeof(*four);
        return 0;
    }
    if (brackets && inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        *size = sizeof(*six);
        return 0;
    }
    return -EINVAL;
}
