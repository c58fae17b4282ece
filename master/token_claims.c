#include "master/token_claims.h"

#include "shared/json.h"

#include <errno.h>
#include <inttypes.h>

/* The claim's value, emptied; NULL when there are too many claims. */
static struct buffer *token_claims_value(struct token_claims *claims, struct slice name)
{
    size_t i = 0;

    while (i < claims->count && !slice_equal(claims->claims[i].name, name))
        i++;
    if (i == TOKEN_CLAIMS_MAX)
        return NULL;
    if (i == claims->count)
        claims->count++;
    claims->claims[i].name = name;
    buffer_clear(&claims->claims[i].value);
    return &claims->claims[i].value;
}

int token_claims_set_string(struct token_claims *claims, struct slice name, struct slice value)
{
    struct buffer *out = token_claims_value(claims, name);

    return out == NULL ? -E2BIG : json_append_string(out, value);
}

int token_claims_set_integer(struct token_claims *claims, struct slice name, int64_t value)
{
    struct buffer *out = token_claims_value(claims, name);

    return out == NULL ? -E2BIG : buffer_append_format(out, "%" PRId64, value);
}

int token_claims_set_strings(struct token_claims *claims, struct slice name,
                             const char *const *values, size_t count)
{
    struct buffer *out;
    int error = 0;

    if (count == 1)
        return token_claims_set_string(claims, name, slice_from(values[0]));
    out = token_claims_value(claims, name);
    if (out == NULL)
        return -E2BIG;
    for (size_t i = 0; i < count && error == 0; i++) {
        error = buffer_append(out, i == 0 ? "[" : ",", 1);
        if (error == 0)
            error = json_append_string(out, slice_from(values[i]));
    }
    return error != 0 ? error : buffer_append(out, "]", 1);
}

int token_claims_set_text(struct token_claims *claims, struct slice name, struct slice value)
{
    struct buffer *out = token_claims_value(claims, name);
    struct json_value parsed;
    const char *reason;

    if (out == NULL)
        return -E2BIG;
    if (value.size == 0)
        return 0;
    if (json_parse(value, &parsed, &reason) == 0)
        return buffer_append_slice(out, parsed.text);
    return json_append_string(out, value);
}

int token_claims_append(const struct token_claims *claims, struct buffer *out)
{
    const char *separator = "{";
    int error = 0;

    for (size_t i = 0; i < claims->count && error == 0; i++) {
        if (buffer_size(&claims->claims[i].value) == 0)
            continue;
        error = buffer_append(out, separator, 1);
        if (error == 0)
            error = json_append_string(out, claims->claims[i].name);
        if (error == 0)
            error = buffer_append(out, ":", 1);
        if (error == 0)
            error = buffer_append_slice(out, buffer_slice(&claims->claims[i].value));
        separator = ",";
    }
    if (error != 0)
        return error;
    return buffer_append_text(out, *separator == '{' ? "{}" : "}");
}

void token_claims_free(struct token_claims *claims)
{
    for (size_t i = 0; i < claims->count; i++)
        buffer_free(&claims->claims[i].value);
    claims->count = 0;
}
