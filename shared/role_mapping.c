#include "shared/role_mapping.h"

int role_mapping_append(struct buffer *list, const struct role_mapping *mapping)
{
    struct record_writer writer = {.out = list};

    if (buffer_size(list) == 0)
        record_begin(&writer, list, '1');
    record_put(&writer, "claim", mapping->claim);
    record_put(&writer, "value", mapping->value);
    for (size_t i = 0; i < mapping->role_count; i++)
        record_put(&writer, "role", mapping->roles[i]);
    return record_finish(&writer);
}

void role_mappings_open(struct record_reader *reader, struct slice list)
{
    record_open(reader, list, '1');
    if (list.size == 0)
        reader->failed = false; /* no mapping at all */
}

bool role_mappings_next(struct record_reader *reader, struct role_mapping *out)
{
    if (reader->failed || reader->rest.size == 0)
        return false;
    out->claim = record_get(reader, "claim");
    out->value = record_get(reader, "value");
    out->role_count = record_get_list(reader, "role", out->roles, ROLE_MAPPING_ROLES_MAX);
    return !reader->failed;
}

static bool claims_hold(const struct slice *claims, size_t count, struct slice claim)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(claims[i], claim))
            return true;
    return false;
}

bool role_mappings_are_sound(struct slice list)
{
    struct slice claims[ROLE_MAPPING_CLAIMS_MAX];
    struct role_mapping mapping;
    struct record_reader reader;
    size_t claim_count = 0;
    size_t count = 0;

    role_mappings_open(&reader, list);
    while (role_mappings_next(&reader, &mapping)) {
        if (mapping.claim.size == 0 || ++count > ROLE_MAPPINGS_MAX)
            return false;
        if (claims_hold(claims, claim_count, mapping.claim))
            continue;
        if (claim_count == ROLE_MAPPING_CLAIMS_MAX)
            return false;
        claims[claim_count++] = mapping.claim;
    }
    return record_end(&reader) == 0;
}

size_t role_mappings_claims(struct slice list, struct slice claims[ROLE_MAPPING_CLAIMS_MAX])
{
    struct role_mapping mapping;
    struct record_reader reader;
    size_t count = 0;

    role_mappings_open(&reader, list);
    while (count < ROLE_MAPPING_CLAIMS_MAX && role_mappings_next(&reader, &mapping))
        if (!claims_hold(claims, count, mapping.claim))
            claims[count++] = mapping.claim;
    return count;
}
