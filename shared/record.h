/* record.h: how every value in LMDB, and every structured message, is written and read.
 *
 * A record is a version byte and then fields, each ` name=size:bytes`, in a fixed order:
 *
 *     1 issuer=22:https://idp.example.com audience=4:gate exp=10:1790000000
 *
 * so that `mdb_dump -p` reads as a report, while every size is checked before a byte is used. A
 * list is a field that repeats. Numbers are decimal. Readers take fields in the written order; a
 * missing, foreign or cut field, or bytes left over, is -EBADMSG: what another process wrote is
 * outside input.
 */
#ifndef GATEHOUSE_SHARED_RECORD_H
#define GATEHOUSE_SHARED_RECORD_H

#include "shared/buffer.h"
#include "shared/slice.h"

#include <stdint.h>

struct record_writer {
    struct buffer *out; /* borrowed */
    int error;          /* 0, or the first -ENOMEM: checked once, by record_finish */
};

/* Starts a record of `version` ('1' to '9') at the end of `out`. */
void record_begin(struct record_writer *writer, struct buffer *out, char version);
void record_put_field(struct record_writer *writer, struct slice name, struct slice value);
/* In the header, so that a literal name's size is known when it is compiled. */
static inline void record_put(struct record_writer *writer, const char *name, struct slice value)
{
    record_put_field(writer, slice_from(name), value);
}
void record_put_number(struct record_writer *writer, const char *name, int64_t value);
/* 0, or -ENOMEM when any put failed; the buffer's content is then not a record. */
int record_finish(const struct record_writer *writer);

struct record_reader {
    struct slice rest; /* borrowed, as long as the record's bytes */
    bool failed;       /* sticky: every get after a failure gives an empty value */
};

/* Begins to read; fails (see record_end) unless the record begins with `version`. */
void record_open(struct record_reader *reader, struct slice record, char version);
/* Where the size of the next field stands, when that is called `name`; else NULL. In the header, so
 * that a literal name is compared without a call: a session's record is read for every request. */
static inline const char *record_match(const struct record_reader *reader, const char *name)
{
    size_t size = strlen(name);
    const char *at = reader->rest.data;

    /* A field is at least ` name=0:`. */
    if (reader->failed || reader->rest.size < size + 4 || at[0] != ' ' || at[size + 1] != '=' ||
        memcmp(at + 1, name, size) != 0)
        return NULL;
    return at + size + 2;
}
/* Takes the value whose size stands at `at`; NULL: fails. */
struct slice record_take(struct record_reader *reader, const char *at);
int64_t record_take_number(struct record_reader *reader, const char *at);

/* Whether the next field is called `name`: for lists and optional fields. */
static inline bool record_next_is(const struct record_reader *reader, const char *name)
{
    return record_match(reader, name) != NULL;
}
static inline struct slice record_get(struct record_reader *reader, const char *name)
{
    return record_take(reader, record_match(reader, name));
}
static inline int64_t record_get_number(struct record_reader *reader, const char *name)
{
    return record_take_number(reader, record_match(reader, name));
}
/* As record_get_number, but fails when the value is not within [low, high]. */
int64_t record_get_range(struct record_reader *reader, const char *name, int64_t low, int64_t high);
/* The values of a repeated field into out[0..max); fails when there are more. Their count. */
size_t record_get_list(struct record_reader *reader, const char *name, struct slice *out,
                       size_t max);
/* 0 when everything was there and nothing is left over, else -EBADMSG. */
int record_end(const struct record_reader *reader);

#endif
