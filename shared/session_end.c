#include "shared/session_end.h"

#include <errno.h>

struct entry_head {
    uint32_t kind;
    uint32_t key_size;
    uint32_t record_size;
};

int session_end_put(struct buffer *out, enum session_end_kind kind, struct slice key,
                    struct slice record)
{
    struct entry_head head = {(uint32_t)kind, (uint32_t)key.size, (uint32_t)record.size};

    if (buffer_reserve(out, sizeof(head) + key.size + record.size) != 0)
        return -ENOMEM;
    (void)buffer_append(out, &head, sizeof(head));
    (void)buffer_append_slice(out, key);
    (void)buffer_append_slice(out, record);
    return 0;
}

bool session_end_next(struct slice *rest, struct session_end *out)
{
    struct entry_head head;

    if (rest->size < sizeof(head))
        return false;
    memcpy(&head, rest->data, sizeof(head));
    *rest = slice_skip(*rest, sizeof(head));
    if ((head.kind != SESSION_END_GATE && head.kind != SESSION_END_MCP) ||
        head.key_size > rest->size || head.record_size > rest->size - head.key_size)
        return false;
    out->kind = (enum session_end_kind)head.kind;
    out->key = slice_make(rest->data, head.key_size);
    out->record = slice_make(rest->data + head.key_size, head.record_size);
    *rest = slice_skip(*rest, (size_t)head.key_size + head.record_size);
    return true;
}
