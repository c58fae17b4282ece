#include "worker/connect_refusal.h"

#include "worker/http_field.h"
#include "worker/reply.h"

/* Past a quoted string that begins at *at; *out is its inside. false: it has no end. */
static bool refusal_quoted(struct slice text, size_t *at, struct slice *out)
{
    size_t begin = ++*at;

    for (; *at < text.size; ++*at) {
        if (text.data[*at] == '\\')
            ++*at;
        else if (text.data[*at] == '"') {
            *out = slice_make(text.data + begin, *at - begin);
            ++*at;
            return true;
        }
    }
    return false;
}

struct slice connect_challenge(struct slice challenge, const char *name)
{
    struct slice none = slice_make(NULL, 0);
    size_t at = 0;

    while (at < challenge.size) {
        size_t begin = at;
        struct slice key, value;

        while (at < challenge.size && http_char_is(challenge.data[at], HTTP_CHAR_TOKEN))
            at++;
        key = slice_make(challenge.data + begin, at - begin);
        if (key.size == 0 || at == challenge.size || challenge.data[at] != '=') {
            at += key.size == 0; /* the scheme, or a separator */
            continue;
        }
        if (++at < challenge.size && challenge.data[at] == '"') {
            if (!refusal_quoted(challenge, &at, &value))
                return none;
        } else {
            begin = at;
            while (at < challenge.size && http_char_is(challenge.data[at], HTTP_CHAR_TOKEN))
                at++;
            value = slice_make(challenge.data + begin, at - begin);
        }
        if (slice_equal_nocase(key, slice_from(name)))
            return value;
    }
    return none;
}

static const char *refusal_advice(const struct connect_refusal *refusal, bool scoped)
{
    if (refusal->status == 401)
        return "; the token is missing, expired or not for this app";
    if (refusal->status == 403 && !scoped)
        return "; who you are may not do this";
    if (refusal->status >= 300 && refusal->status < 400)
        return "; redirections are not followed, so that no token goes elsewhere";
    return "";
}

static int refusal_append(struct buffer *out, const char *before, struct slice text)
{
    int error = text.size == 0 ? 0 : buffer_append_text(out, before);

    return error == 0 ? buffer_append_slice(out, text) : error;
}

int connect_refusal_words(struct buffer *out, const struct connect_refusal *refusal)
{
    struct slice scope = connect_challenge(refusal->challenge, "scope");
    struct slice description = connect_challenge(refusal->challenge, "error_description");
    bool scoped = slice_is(connect_challenge(refusal->challenge, "error"), "insufficient_scope");
    int error =
        buffer_append_format(out, "the %s answered %u %s", refusal->gateway ? "gate" : "server",
                             refusal->status, reply_phrase(refusal->status));

    if (error == 0)
        error = refusal_append(out, ": ", refusal->message);
    if (error == 0)
        error = refusal_append(out, ": ", description);
    if (error == 0)
        error = buffer_append_text(out, refusal_advice(refusal, scoped));
    if (error == 0 && scoped)
        error = refusal_append(out, "; the token needs the scope ", scope);
    if (error == 0 && refusal->retry_after > 0)
        error = buffer_append_format(out, "; try again in %llu s",
                                     (unsigned long long)refusal->retry_after);
    return error;
}
