/* What root's command and the watcher say to each other, and what stands in `revocations`: no
 * decoder reads past its bytes, and what it accepts is accepted again when it is written anew (a
 * number may come with zeros before it, and go without). */

#include "shared/control_message.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_request(struct slice bytes)
{
    struct control_request request, other;
    struct buffer again = {0};

    if (control_request_decode(bytes, &request) == 0) {
        check(control_request_encode(&request, &again) == 0);
        check(buffer_size(&again) <= bytes.size);
        check(control_request_decode(buffer_slice(&again), &other) == 0);
        check(request.ends == other.ends);
    }
    buffer_free(&again);
}

static void check_answer(struct slice bytes)
{
    struct control_answer answer, other;
    struct buffer again = {0};

    if (control_answer_decode(bytes, &answer) == 0) {
        check(control_answer_encode(&answer, &again) == 0);
        check(buffer_size(&again) <= bytes.size);
        check(control_answer_decode(buffer_slice(&again), &other) == 0);
        check(answer.status == other.status && answer.until == other.until);
    }
    buffer_free(&again);
}

static void check_record(struct slice bytes)
{
    struct revocation_record record, other;
    struct buffer again = {0};
    struct store_key key;

    if (revocation_record_decode(bytes, &record) == 0) {
        revocation_record_key(&key, &record);
        check(!key.impossible);
        check(revocation_record_encode(&record, &again) == 0);
        check(buffer_size(&again) <= bytes.size);
        check(revocation_record_decode(buffer_slice(&again), &other) == 0);
        check(record.until == other.until && record.since == other.since);
    }
    buffer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_make((const char *)data, size);

    check_request(bytes);
    check_answer(bytes);
    check_record(bytes);
    return 0;
}
