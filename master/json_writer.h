/* json_writer.h: one JSON document (RFC 8259), value after value, with its commas.
 *
 * For the commands' --json. Errors are kept, and given once by json_writer_end. Never checks that
 * brackets match: the callers' code is their order.
 */
#ifndef GATEHOUSE_MASTER_JSON_WRITER_H
#define GATEHOUSE_MASTER_JSON_WRITER_H

#include "shared/buffer.h"

#include <stdint.h>
#include <stdio.h>

struct json_writer {
    struct buffer out;
    bool comma; /* one is due before the next value */
    int error;  /* the first -ENOMEM */
};

/* `name` is the member's name: a literal; NULL in an array and at the top. */
void json_writer_open(struct json_writer *writer, const char *name, char bracket);
void json_writer_close(struct json_writer *writer, char bracket);
void json_writer_string(struct json_writer *writer, const char *name, struct slice text);
/* An empty text is null: what the record does not say. */
void json_writer_optional(struct json_writer *writer, const char *name, struct slice text);
void json_writer_number(struct json_writer *writer, const char *name, int64_t number);
void json_writer_boolean(struct json_writer *writer, const char *name, bool value);
void json_writer_null(struct json_writer *writer, const char *name);
/* Wall seconds as RFC 3339 in UTC; 0 is null. */
void json_writer_time(struct json_writer *writer, const char *name, int64_t seconds);
void json_writer_strings(struct json_writer *writer, const char *name, const struct slice *texts,
                         size_t count);

/* In place of a record that cannot be decoded: {"key": ..., "error": ...}. */
void json_writer_unreadable(struct json_writer *writer, struct slice key);

/* Prints the document and a line's end, and frees. 0, -ENOMEM or -EIO. */
int json_writer_end(struct json_writer *writer, FILE *out);

#endif
