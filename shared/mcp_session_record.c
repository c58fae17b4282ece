#include "shared/mcp_session_record.h"

int mcp_session_record_encode(const struct mcp_session_record *record, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, '1');
    record_put(&writer, "id", record->id);
    mcp_origin_put(&writer, &record->origin);
    record_put(&writer, "version", record->version);
    if (record->birth != 0)
        record_put_number(&writer, "birth", record->birth);
    record_put_number(&writer, "created", record->created);
    record_put_number(&writer, "used", record->used);
    return record_finish(&writer);
}

int mcp_session_record_decode(struct slice bytes, struct mcp_session_record *out)
{
    struct record_reader reader;

    record_open(&reader, bytes, '1');
    out->id = record_get(&reader, "id");
    mcp_origin_get(&reader, &out->origin);
    out->version = record_get(&reader, "version");
    out->birth =
        record_next_is(&reader, "birth") ? record_get_range(&reader, "birth", 1, INT64_MAX) : 0;
    out->created = record_get_range(&reader, "created", 0, INT64_MAX);
    out->used = record_get_range(&reader, "used", 0, INT64_MAX);
    return record_end(&reader);
}

bool mcp_session_id_is_valid(struct slice id)
{
    for (size_t i = 0; i < id.size; i++) {
        if (id.data[i] < 0x21 || id.data[i] > 0x7e)
            return false;
    }
    return id.size > 0 && id.size <= MCP_SESSION_ID_MAX;
}
