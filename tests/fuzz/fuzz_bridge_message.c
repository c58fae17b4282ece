/* Any bytes: what is taken for a message is JSON, goes on as one line, and reads alike behind the
 * bridge's edits but for what they replaced. */
#include "worker/bridge_message.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bridge_message message, again;
    struct bridge_edit edits[BRIDGE_EDITS_MAX];
    struct buffer out = {0};
    const char *reason = NULL;

    if (bridge_message_read(slice_make((const char *)data, size), &message, &reason) != 0) {
        check(reason != NULL);
        check(!message.broken || message.id.size > 0);
        return 0;
    }
    check(!message.broken);
    edits[0] = (struct bridge_edit){message.id, slice_from("\"x\"")};
    edits[1] = (struct bridge_edit){message.token, slice_from("12345")};
    edits[2] = (struct bridge_edit){message.request_id, slice_from("7")};
    edits[3] = (struct bridge_edit){message.subscription, slice_from("\"\"")};
    check(bridge_message_append(&out, message.text, edits, BRIDGE_EDITS_MAX) == 0);
    check(memchr(buffer_data(&out), '\n', buffer_size(&out)) == NULL);
    check(memchr(buffer_data(&out), '\r', buffer_size(&out)) == NULL);
    check(bridge_message_read(buffer_slice(&out), &again, &reason) == 0);
    check(again.kind == message.kind && again.error == message.error);
    check(slice_is(again.id, message.id.size > 0 ? "\"x\"" : ""));
    check(slice_is(again.token, message.token.size > 0 ? "12345" : ""));
    check(slice_is(again.request_id, message.request_id.size > 0 ? "7" : ""));
    check(slice_is(again.subscription, message.subscription.size > 0 ? "\"\"" : ""));
    check(slice_equal(again.method.text, message.method.text));
    check(slice_equal(again.uri.text, message.uri.text));
    buffer_free(&out);
    return 0;
}
