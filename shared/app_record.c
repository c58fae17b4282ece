#include "shared/app_record.h"

#include "shared/record.h"

static void app_record_put_endpoint(struct record_writer *writer,
                                    const struct app_endpoint *endpoint)
{
    record_put(writer, "host", endpoint->host);
    record_put_number(writer, "port", endpoint->port);
    record_put_number(writer, "tls", endpoint->tls);
    record_put(writer, "path", endpoint->path);
    for (size_t i = 0; i < endpoint->address_count; i++)
        record_put(writer, "address", endpoint->addresses[i]);
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
    return record_finish(&writer);
}

static void app_record_get_endpoint(struct record_reader *reader, struct app_endpoint *endpoint)
{
    endpoint->host = record_get(reader, "host");
    endpoint->port = (uint16_t)record_get_range(reader, "port", 0, UINT16_MAX);
    endpoint->tls = record_get_range(reader, "tls", 0, 1) != 0;
    endpoint->path = record_get(reader, "path");
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
    return record_end(&reader);
}
