#include "shared/mcp_task_record.h"

#include "shared/record.h"

int mcp_task_record_encode(const struct mcp_task_record *record, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, '1');
    record_put(&writer, "id", record->id);
    record_put(&writer, "issuer", record->issuer);
    record_put(&writer, "subject", record->subject);
    record_put(&writer, "user", record->user);
    record_put(&writer, "address", record->address);
    record_put_number(&writer, "port", record->port);
    record_put(&writer, "method", record->method);
    record_put(&writer, "tool", record->tool);
    record_put_number(&writer, "created", record->created);
    record_put_number(&writer, "used", record->used);
    record_put_number(&writer, "ttl", record->ttl);
    return record_finish(&writer);
}

int mcp_task_record_decode(struct slice bytes, struct mcp_task_record *out)
{
    struct record_reader reader;

    record_open(&reader, bytes, '1');
    out->id = record_get(&reader, "id");
    out->issuer = record_get(&reader, "issuer");
    out->subject = record_get(&reader, "subject");
    out->user = record_get(&reader, "user");
    out->address = record_get(&reader, "address");
    out->port = (uint16_t)record_get_range(&reader, "port", 1, UINT16_MAX);
    out->method = record_get(&reader, "method");
    out->tool = record_get(&reader, "tool");
    out->created = record_get_range(&reader, "created", 0, INT64_MAX);
    out->used = record_get_range(&reader, "used", 0, INT64_MAX);
    out->ttl = record_get_range(&reader, "ttl", 0, INT64_MAX);
    return record_end(&reader);
}

bool mcp_task_record_is_of(const struct mcp_task_record *record,
                           const struct session_record *caller)
{
    return slice_equal(record->issuer, caller->issuer) &&
           slice_equal(record->subject, caller->subject) &&
           (record->subject.size > 0 || slice_equal(record->user, caller->user));
}
