#include "conf/role_sides.h"

#include "shared/record.h"

#include <errno.h>

static const char *const side_names[2] = {"allow", "deny"};

int role_sides_encode(const struct role_sides *sides, struct buffer *out)
{
    struct record_writer writer;
    int status = 0;

    record_begin(&writer, out, '1');
    for (int deny = 0; deny < 2 && status == 0; deny++) {
        struct buffer side = {0};

        if (!sides->has[deny])
            continue;
        status = policy_record_encode(&sides->records[deny], &side);
        if (status == 0)
            record_put(&writer, side_names[deny], buffer_slice(&side));
        buffer_free(&side);
    }
    return status < 0 ? status : record_finish(&writer);
}

int role_sides_decode(struct slice bytes, struct role_sides *out, void *owned[2])
{
    struct record_reader reader;
    int status = 0;

    memset(out, 0, sizeof(*out));
    owned[0] = owned[1] = NULL;
    record_open(&reader, bytes, '1');
    for (int deny = 0; deny < 2 && status == 0; deny++) {
        if (!record_next_is(&reader, side_names[deny]))
            continue;
        status = policy_record_decode(record_get(&reader, side_names[deny]), &out->records[deny],
                                      &owned[deny]);
        out->has[deny] = status == 0;
    }
    return status < 0 ? status : record_end(&reader);
}

static bool selector_equal(const struct label_selector *a, const struct label_selector *b)
{
    bool equal = slice_equal(a->name, b->name) && a->value_count == b->value_count;

    for (size_t i = 0; equal && i < a->value_count; i++)
        equal = slice_equal(a->values[i], b->values[i]);
    return equal;
}

bool role_sides_choose_alike(const struct role_sides *a, const struct role_sides *b)
{
    for (int deny = 0; deny < 2; deny++) {
        const struct policy_record *x = &a->records[deny];
        const struct policy_record *y = &b->records[deny];

        if (a->has[deny] != b->has[deny] || x->selector_count != y->selector_count)
            return false;
        for (size_t i = 0; i < x->selector_count; i++)
            if (!selector_equal(&x->selectors[i], &y->selectors[i]))
                return false;
    }
    return true;
}

const struct label_selector *role_side_selectors(const struct policy_record *record, size_t *count)
{
    static const struct slice star = {"*", 1};
    static const struct label_selector every = {
        .name = {"*", 1}, .values = &star, .value_count = 1};

    *count = record->selector_count;
    if (record->deny && record->selector_count == 0) {
        *count = 1;
        return &every;
    }
    return record->selectors;
}
