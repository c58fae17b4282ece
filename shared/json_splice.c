#include "shared/json_splice.h"

void json_splice_begin(struct json_splice *splice, struct slice text, struct buffer *out)
{
    *splice = (struct json_splice){.out = out, .done = text.data, .end = text.data + text.size};
}

static void splice_copy(struct json_splice *splice, const char *to)
{
    if (splice->error == 0)
        splice->error = buffer_append(splice->out, splice->done, (size_t)(to - splice->done));
    splice->done = to;
}

void json_splice_put(struct json_splice *splice, const char *from, const char *to,
                     struct slice with)
{
    if (!splice->changed) /* most changes make the text shorter */
        splice->error = buffer_reserve(splice->out, (size_t)(splice->end - splice->done));
    splice->changed = true;
    splice_copy(splice, from);
    if (splice->error == 0)
        splice->error = buffer_append_slice(splice->out, with);
    splice->done = to;
}

int json_splice_end(struct json_splice *splice)
{
    if (!splice->changed)
        return 0;
    splice_copy(splice, splice->end);
    return splice->error == 0 ? 1 : splice->error;
}

void json_array_cut_begin(struct json_array_cut *cut, struct json_splice *splice, const char *open)
{
    *cut = (struct json_array_cut){.splice = splice, .open = open + 1};
}

void json_array_cut_keep(struct json_array_cut *cut, struct slice element)
{
    if (cut->first != NULL)
        json_splice_put(cut->splice, cut->first, element.data, slice_make(NULL, 0));
    cut->first = NULL;
    cut->kept = true;
    cut->last = element.data + element.size;
}

void json_array_cut_drop(struct json_array_cut *cut, struct slice element)
{
    const char *end = element.data + element.size;

    if (cut->kept)
        json_splice_put(cut->splice, cut->last, end, slice_make(NULL, 0));
    else if (cut->first == NULL)
        cut->first = element.data;
    cut->last = end;
}

void json_array_cut_end(struct json_array_cut *cut, const char *close)
{
    if (cut->first != NULL)
        json_splice_put(cut->splice, cut->open, close, slice_make(NULL, 0));
}
