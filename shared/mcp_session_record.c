#include "shared/mcp_session_record.h"

/* Left out where nobody asked for it. */
static void record_put_opening(struct record_writer *writer,
                               const struct mcp_session_record *record)
{
    if (record->opening.size == 0 && record->upstream.size == 0)
        return;
    record_put(writer, "opening", record->opening);
    record_put(writer, "identity", record->identity);
    record_put(writer, "upstream", record->upstream);
    record_put_number(writer, "reopened", record->reopened);
}

static void record_get_opening(struct record_reader *reader, struct mcp_session_record *out)
{
    out->opening = out->identity = out->upstream = slice_make(NULL, 0);
    out->reopened = 0;
    if (!record_next_is(reader, "opening"))
        return;
    out->opening = record_get(reader, "opening");
    out->identity = record_get(reader, "identity");
    out->upstream = record_get(reader, "upstream");
    out->reopened = record_get_range(reader, "reopened", 0, INT64_MAX);
}

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
    record_put_opening(&writer, record);
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
    record_get_opening(&reader, out);
    return record_end(&reader);
}

struct mcp_session_home mcp_session_record_home(const struct mcp_session_record *record)
{
    return (struct mcp_session_home){.upstream =
                                         record->upstream.size > 0 ? record->upstream : record->id,
                                     .address = record->origin.address,
                                     .port = record->origin.port,
                                     .endpoint = record->origin.endpoint};
}

bool mcp_session_home_equal(const struct mcp_session_home *a, const struct mcp_session_home *b)
{
    return a->port == b->port && a->endpoint == b->endpoint &&
           slice_equal(a->address, b->address) && slice_equal(a->upstream, b->upstream);
}

bool mcp_session_record_can_reopen(const struct mcp_session_record *record)
{
    return record->opening.size > 0 && record->identity.size > 0 && record->version.size > 0;
}

bool mcp_session_id_is_valid(struct slice id)
{
    for (size_t i = 0; i < id.size; i++) {
        if (id.data[i] < 0x21 || id.data[i] > 0x7e)
            return false;
    }
    return id.size > 0 && id.size <= MCP_SESSION_ID_MAX;
}
