#include "shared/app_record.h"

#include "shared/record.h"

static void app_record_put_endpoint(struct record_writer *writer,
                                    const struct app_endpoint *endpoint)
{
    record_put(writer, "host", endpoint->host);
    record_put_number(writer, "port", endpoint->port);
    record_put_number(writer, "tls", endpoint->tls);
    record_put(writer, "path", endpoint->path);
    if (endpoint->draining != 0)
        record_put_number(writer, "draining", endpoint->draining);
    for (size_t i = 0; i < endpoint->address_count; i++)
        record_put(writer, "address", endpoint->addresses[i]);
}

/* What is off is left out: such a record reads as those of a program before this one. */
static void app_record_put_health(struct record_writer *writer, const struct app_health *health)
{
    if (health->probe == APP_PROBE_OFF)
        return;
    record_put_number(writer, "probe", (int64_t)health->probe);
    record_put(writer, "probe_path", health->path);
    record_put_number(writer, "interval", health->interval);
    record_put_number(writer, "timeout", health->timeout);
    record_put_number(writer, "rise", health->rise);
    record_put_number(writer, "fall", health->fall);
}

int app_record_encode(const struct app_record *app, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, '1');
    record_put(&writer, "name", app->name);
    if (app->birth != 0)
        record_put_number(&writer, "birth", app->birth);
    record_put(&writer, "description", app->description);
    record_put(&writer, "public_addr", app->public_addr);
    record_put_number(&writer, "transport", (int64_t)app->transport);
    record_put_number(&writer, "insecure_skip_verify", app->insecure_skip_verify);
    for (size_t i = 0; i < app->endpoint_count; i++)
        app_record_put_endpoint(&writer, &app->endpoints[i]);
    for (size_t i = 0; i < app->header_count; i++) {
        record_put(&writer, "header", app->headers[i].name);
        record_put(&writer, "value", app->headers[i].value);
    }
    for (size_t i = 0; i < app->label_count; i++) {
        record_put(&writer, "label", app->labels[i].name);
        record_put(&writer, "value", app->labels[i].value);
    }
    for (size_t i = 0; i < app->method_count; i++)
        record_put(&writer, "method", app->methods[i]);
    record_put(&writer, "ca_pem", app->ca_pem);
    if (app->transport == APP_MCP_STDIO)
        record_put(&writer, "revision", app->revision);
    app_record_put_health(&writer, &app->health);
    if (app->reinitialize)
        record_put_number(&writer, "reinitialize", 1);
    return record_finish(&writer);
}

static void app_record_get_endpoint(struct record_reader *reader, struct app_endpoint *endpoint)
{
    endpoint->host = record_get(reader, "host");
    endpoint->port = (uint16_t)record_get_range(reader, "port", 0, UINT16_MAX);
    endpoint->tls = record_get_range(reader, "tls", 0, 1) != 0;
    endpoint->path = record_get(reader, "path");
    if (record_next_is(reader, "draining"))
        endpoint->draining = (uint8_t)record_get_range(reader, "draining", 1, 3);
    endpoint->address_count =
        record_get_list(reader, "address", endpoint->addresses, APP_ADDRESSES_MAX);
}

/* A list that is longer than its array leaves fields over, which record_end refuses. */
static void app_record_get_lists(struct record_reader *reader, struct app_record *out)
{
    while (out->endpoint_count < APP_ENDPOINTS_MAX && record_next_is(reader, "host"))
        app_record_get_endpoint(reader, &out->endpoints[out->endpoint_count++]);
    while (out->header_count < APP_HEADERS_MAX && record_next_is(reader, "header")) {
        struct app_header *header = &out->headers[out->header_count++];

        header->name = record_get(reader, "header");
        header->value = record_get(reader, "value");
    }
    while (out->label_count < LABELS_MAX && record_next_is(reader, "label")) {
        struct label *label = &out->labels[out->label_count++];

        label->name = record_get(reader, "label");
        label->value = record_get(reader, "value");
    }
    out->method_count = record_get_list(reader, "method", out->methods, APP_METHODS_MAX);
}

static void app_record_get_health(struct record_reader *reader, struct app_health *health)
{
    if (!record_next_is(reader, "probe"))
        return;
    health->probe = (enum app_probe)record_get_range(reader, "probe", APP_PROBE_TCP, APP_PROBE_MCP);
    health->path = record_get(reader, "probe_path");
    health->interval = (uint32_t)record_get_range(reader, "interval", 1, UINT32_MAX);
    health->timeout = (uint32_t)record_get_range(reader, "timeout", 1, UINT32_MAX);
    health->rise = (uint32_t)record_get_range(reader, "rise", 1, UINT32_MAX);
    health->fall = (uint32_t)record_get_range(reader, "fall", 1, UINT32_MAX);
}

static uint64_t hash_add(uint64_t hash, const char *data, size_t size)
{
    /* FNV-1a: names come from documents, which nobody hostile writes. */
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)data[i]) * 0x100000001b3u;
    return (hash ^ 0xffu) * 0x100000001b3u; /* no byte of a name: where one part ends */
}

uint64_t app_endpoint_id(struct slice app, const struct app_endpoint *endpoint)
{
    const char port[] = {(char)(endpoint->port >> 8), (char)endpoint->port, (char)endpoint->tls};
    uint64_t hash = hash_add(0xcbf29ce484222325u, app.data, app.size);

    hash = hash_add(hash, endpoint->host.data, endpoint->host.size);
    hash = hash_add(hash, port, sizeof(port));
    hash = hash_add(hash, endpoint->path.data, endpoint->path.size);
    hash ^= hash >> 32; /* its low bits choose a place in tables */
    return hash == 0 ? 1 : hash;
}

int app_record_decode(struct slice bytes, struct app_record *out)
{
    struct record_reader reader;

    *out = (struct app_record){0};
    record_open(&reader, bytes, '1');
    out->name = record_get(&reader, "name");
    if (record_next_is(&reader, "birth"))
        out->birth = record_get_range(&reader, "birth", 1, INT64_MAX);
    out->description = record_get(&reader, "description");
    out->public_addr = record_get(&reader, "public_addr");
    out->transport =
        (enum app_transport)record_get_range(&reader, "transport", APP_HTTP, APP_MCP_SSE);
    out->insecure_skip_verify = record_get_range(&reader, "insecure_skip_verify", 0, 1) != 0;
    app_record_get_lists(&reader, out);
    out->ca_pem = record_get(&reader, "ca_pem");
    if (out->transport == APP_MCP_STDIO)
        out->revision = record_get(&reader, "revision");
    app_record_get_health(&reader, &out->health);
    if (record_next_is(&reader, "reinitialize"))
        out->reinitialize = record_get_range(&reader, "reinitialize", 1, 1) != 0;
    for (size_t i = 0; i < out->endpoint_count; i++)
        out->endpoints[i].id = app_endpoint_id(out->name, &out->endpoints[i]);
    return record_end(&reader);
}
