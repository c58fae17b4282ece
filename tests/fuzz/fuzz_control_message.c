/* What root's command and the watcher say to each other, and what stands in `revocations`: neither
 * decoder reads past its bytes, and what it accepts is encoded to the same bytes again. */

#include "shared/control_message.h"

#include <stdint.h>
#include <stdlib.h>

static void expect_same(struct slice bytes, struct buffer *again)
{
    if (buffer_size(again) != bytes.size)
        abort();
    buffer_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_make((const char *)data, size);
    struct revocation_record record;
    struct control_request request;
    struct control_answer answer;
    struct buffer again = {0};

    if (control_request_decode(bytes, &request) == 0 &&
        control_request_encode(&request, &again) == 0)
        expect_same(bytes, &again);
    if (control_answer_decode(bytes, &answer) == 0 && control_answer_encode(&answer, &again) == 0)
        expect_same(bytes, &again);
    if (revocation_record_decode(bytes, &record) == 0 &&
        revocation_record_encode(&record, &again) == 0)
        expect_same(bytes, &again);
    return 0;
}
