#include "shared/control_message.h"

#include "shared/record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int drain_encode(const struct control_drain *drain, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, '1');
    record_put(&writer, "command", slice_from("drain"));
    record_put(&writer, "app", drain->app);
    record_put(&writer, "endpoint", drain->endpoint);
    record_put_number(&writer, "undo", drain->undo);
    return record_finish(&writer);
}

int control_request_encode(const struct control_request *request, struct buffer *out)
{
    struct record_writer writer;

    if (request->drain.app.size > 0)
        return drain_encode(&request->drain, out);
    record_begin(&writer, out, '1');
    record_put(&writer, "command", slice_from("revoke"));
    for (unsigned kind = 0; kind < REVOCATION_KINDS; kind++)
        record_put(&writer, revocation_kind_name((enum revocation_kind)kind),
                   request->target.values[kind]);
    record_put(&writer, "issuer", request->target.issuer);
    record_put_number(&writer, "ends", request->ends);
    record_put(&writer, "why", request->why);
    return record_finish(&writer);
}

/* What is shown on terminals and in logs later. */
static bool text_is_clean(struct slice text, size_t most)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
            return false;
    return text.size <= most;
}

static bool text_is_digest(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!(text.data[i] >= '0' && text.data[i] <= '9') &&
            !(text.data[i] >= 'a' && text.data[i] <= 'f'))
            return false;
    return text.size == DIGEST_HEX_SIZE;
}

static bool target_is_sound(const struct revocation_target *target)
{
    enum revocation_kind first = revocation_target_kind(target);
    struct slice input = target->values[REVOCATION_SIGNING_INPUT];

    if (first == REVOCATION_KINDS || first == REVOCATION_SIGNING_INPUT)
        return false;
    if (input.size > 0 && (first != REVOCATION_SESSION || !text_is_digest(input)))
        return false;
    if (target->issuer.size > 0 && !revocation_kind_has_issuer(first))
        return false;
    for (unsigned kind = 0; kind < REVOCATION_KINDS; kind++)
        if (!text_is_clean(target->values[kind], CONTROL_VALUE_MAX) ||
            (kind != first && kind != REVOCATION_SIGNING_INPUT && target->values[kind].size > 0))
            return false;
    return text_is_clean(target->issuer, CONTROL_ISSUER_MAX);
}

static int drain_decode(struct record_reader *reader, struct control_drain *out)
{
    out->app = record_get(reader, "app");
    out->endpoint = record_get(reader, "endpoint");
    out->undo = record_get_range(reader, "undo", 0, 1) != 0;
    if (record_end(reader) != 0 || out->app.size == 0 || out->endpoint.size == 0 ||
        !text_is_clean(out->app, CONTROL_VALUE_MAX) ||
        !text_is_clean(out->endpoint, CONTROL_ENDPOINT_MAX))
        return -EBADMSG;
    return 0;
}

int control_request_decode(struct slice bytes, struct control_request *out)
{
    struct record_reader reader;
    struct slice command;

    memset(out, 0, sizeof(*out));
    record_open(&reader, bytes, '1');
    command = record_get(&reader, "command");
    if (slice_is(command, "drain"))
        return drain_decode(&reader, &out->drain);
    if (!slice_is(command, "revoke"))
        reader.failed = true;
    for (unsigned kind = 0; kind < REVOCATION_KINDS; kind++)
        out->target.values[kind] =
            record_get(&reader, revocation_kind_name((enum revocation_kind)kind));
    out->target.issuer = record_get(&reader, "issuer");
    out->ends = record_get_range(&reader, "ends", 0, INT64_MAX);
    out->why = record_get(&reader, "why");
    if (record_end(&reader) != 0 || !target_is_sound(&out->target) ||
        !text_is_clean(out->why, CONTROL_WHY_MAX))
        return -EBADMSG;
    return 0;
}

int control_answer_encode(const struct control_answer *answer, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, '1');
    record_put_number(&writer, "status", answer->status);
    record_put_number(&writer, "since", answer->since);
    record_put_number(&writer, "until", answer->until);
    record_put(&writer, "text", answer->text);
    return record_finish(&writer);
}

int control_answer_decode(struct slice bytes, struct control_answer *out)
{
    struct record_reader reader;

    record_open(&reader, bytes, '1');
    out->status = (int)record_get_range(&reader, "status", -4095, 0);
    out->since = record_get_range(&reader, "since", 0, INT64_MAX);
    out->until = record_get_range(&reader, "until", 0, INT64_MAX);
    out->text = record_get(&reader, "text");
    if (record_end(&reader) != 0 || !text_is_clean(out->text, CONTROL_TEXT_MAX))
        return -EBADMSG;
    return 0;
}

int control_address(const char *state_dir, int *directory, struct sockaddr_un *address)
{
    char path[PATH_MAX];
    int size = snprintf(path, sizeof(path), "%s/" CONTROL_DIRECTORY, state_dir);

    if (size < 0 || (size_t)size >= sizeof(path))
        return -ENAMETOOLONG;
    *directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*directory < 0)
        return -errno;
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/" CONTROL_SOCKET,
             *directory);
    return 0;
}
