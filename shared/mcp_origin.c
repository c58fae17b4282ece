#include "shared/mcp_origin.h"

void mcp_origin_put(struct record_writer *writer, const struct mcp_origin *origin)
{
    record_put(writer, "issuer", origin->issuer);
    record_put(writer, "subject", origin->subject);
    record_put(writer, "user", origin->user);
    record_put(writer, "address", origin->address);
    record_put_number(writer, "port", origin->port);
    if (origin->endpoint != 0)
        record_put_number(writer, "endpoint", (int64_t)origin->endpoint);
}

void mcp_origin_get(struct record_reader *reader, struct mcp_origin *out)
{
    out->issuer = record_get(reader, "issuer");
    out->subject = record_get(reader, "subject");
    out->user = record_get(reader, "user");
    out->address = record_get(reader, "address");
    out->port = (uint16_t)record_get_range(reader, "port", 1, UINT16_MAX);
    out->endpoint = 0;
    if (record_next_is(reader, "endpoint"))
        out->endpoint = (uint64_t)record_get_number(reader, "endpoint");
}

bool mcp_origin_same_owner(const struct mcp_origin *one, const struct mcp_origin *other)
{
    return slice_equal(one->issuer, other->issuer) && slice_equal(one->subject, other->subject) &&
           (one->subject.size > 0 || slice_equal(one->user, other->user));
}

bool mcp_origin_is_of(const struct mcp_origin *origin, const struct session_record *caller)
{
    struct mcp_origin own = {
        .issuer = caller->issuer, .subject = caller->subject, .user = caller->user};

    return mcp_origin_same_owner(origin, &own);
}
