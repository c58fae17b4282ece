#include "shared/mcp_task_record.h"

int mcp_task_record_encode(const struct mcp_task_record *record, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, '1');
    record_put(&writer, "id", record->id);
    mcp_origin_put(&writer, &record->origin);
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
    mcp_origin_get(&reader, &out->origin);
    out->method = record_get(&reader, "method");
    out->tool = record_get(&reader, "tool");
    out->created = record_get_range(&reader, "created", 0, INT64_MAX);
    out->used = record_get_range(&reader, "used", 0, INT64_MAX);
    out->ttl = record_get_range(&reader, "ttl", 0, INT64_MAX);
    return record_end(&reader);
}
