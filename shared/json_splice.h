/* json_splice.h: JSON text with parts cut out or put in, and every other byte as it was. Pure.
 *
 * For what passes on a document that another wrote and must change a little of it: spans come from
 * json_scan.h, so nothing is rebuilt, and order, white space, numbers and escapes stay the
 * author's. Nothing is copied until the first change. Calls go forward through the text.
 */
#ifndef GATEHOUSE_SHARED_JSON_SPLICE_H
#define GATEHOUSE_SHARED_JSON_SPLICE_H

#include "shared/buffer.h"

#include <stdbool.h>

struct json_splice {
    struct buffer *out; /* borrowed */
    const char *done;   /* of the text, what was copied or cut */
    const char *end;
    bool changed;
    int error; /* the first failure sticks */
};

/* `out` takes the changed text at its end; `text` is borrowed until json_splice_end. */
void json_splice_begin(struct json_splice *splice, struct slice text, struct buffer *out);
/* Puts `with` in the place of [from, to), which may be empty. */
void json_splice_put(struct json_splice *splice, const char *from, const char *to,
                     struct slice with);
/* Copies what is left, when anything changed: 1. 0: nothing did, and `out` is as it was. -ENOMEM.
 */
int json_splice_end(struct json_splice *splice);

/* Cuts elements out of one array, each with a comma: of the white space around it goes what stands
 * on the comma's side. An array of which nothing is left is "[]". */
struct json_array_cut {
    struct json_splice *splice;
    const char *open;  /* behind the bracket */
    const char *first; /* element, when those before the first that is kept are cut */
    const char *last;  /* the end of the element before */
    bool kept;         /* some element is */
};

/* `open`: the array's bracket. */
void json_array_cut_begin(struct json_array_cut *cut, struct json_splice *splice, const char *open);
void json_array_cut_keep(struct json_array_cut *cut, struct slice element);
void json_array_cut_drop(struct json_array_cut *cut, struct slice element);
/* `close`: the array's closing bracket. */
void json_array_cut_end(struct json_array_cut *cut, const char *close);

#endif
