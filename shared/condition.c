#include "shared/condition.h"

#include "shared/json_number.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Bytes of a number that servers may read as a double; longer ones are not compared so. */
enum { NUMBER_MAX = 400 };

static int condition_mistaken(struct pattern_mistake *mistake, const char *reason)
{
    if (mistake != NULL) {
        mistake->offset = 0;
        snprintf(mistake->reason, sizeof(mistake->reason), "%s", reason);
    }
    return -EINVAL;
}

static int value_make(struct condition_value *out, struct slice text, struct arena *arena,
                      struct pattern_mistake *mistake)
{
    const char *reason;
    char *decoded;
    long size;

    if (json_parse(text, &out->json, &reason) != 0)
        return condition_mistaken(mistake, "is no JSON value");
    if (out->json.kind == JSON_OBJECT || out->json.kind == JSON_ARRAY)
        return condition_mistaken(mistake, "must be a string, a number, true, false or null");
    if (out->json.kind != JSON_STRING)
        return 0;
    decoded = arena_allocate(arena, text.size);
    if (decoded == NULL)
        return -ENOMEM;
    size = json_string(&out->json, decoded, text.size);
    if (size == 0) /* the empty string is a value, though it is no pattern */
        return 0;
    return pattern_make(&out->pattern, slice_make(decoded, (size_t)size), false, mistake);
}

int condition_make(struct condition *out, const struct policy_condition *source,
                   struct arena *arena, struct pattern_mistake *mistake)
{
    char *room = arena_allocate(arena, source->pointer.size + 1);

    *out =
        (struct condition){.values = arena_array(arena, source->value_count, sizeof(*out->values))};
    if (room == NULL || out->values == NULL)
        return -ENOMEM;
    if (json_pointer_read(&out->pointer, source->pointer, room) != 0)
        return condition_mistaken(mistake, "must be a JSON pointer such as /database");
    for (size_t i = 0; i < source->value_count; i++) {
        int status;

        out->value_count++;
        status = value_make(&out->values[i], source->values[i], arena, mistake);
        if (status < 0)
            return status;
    }
    return 0;
}

void condition_free(struct condition *condition)
{
    for (size_t i = 0; i < condition->value_count; i++)
        pattern_free(&condition->values[i].pattern);
}

/* As servers that keep numbers as doubles compare. */
static bool number_alike(struct slice a, struct slice b)
{
    char x[NUMBER_MAX + 1];
    char y[NUMBER_MAX + 1];
    double difference;

    if (a.size > NUMBER_MAX || b.size > NUMBER_MAX)
        return true;
    memcpy(x, a.data, a.size);
    x[a.size] = '\0';
    memcpy(y, b.data, b.size);
    y[b.size] = '\0';
    difference = strtod(x, NULL) - strtod(y, NULL);
    /* Two infinities differ by no number: they are alike. */
    return !(difference < 0 || difference > 0);
}

static bool string_holds(const struct condition_value *value, const struct json_value *found,
                         bool deny, unsigned *given_up)
{
    char decoded[PATTERN_SUBJECT_MAX];
    enum pattern_answer answer;
    long size;

    if (value->pattern.kind == PATTERN_LITERAL)
        return json_string_is(found, value->pattern.text);
    if (value->pattern.kind == PATTERN_ANY)
        return true;
    size = json_string(found, decoded, sizeof(decoded));
    if (size < 0)
        return deny; /* too long to be judged */
    answer = pattern_match(&value->pattern, slice_make(decoded, (size_t)size), given_up);
    return answer == PATTERN_YES || (deny && answer == PATTERN_GAVE_UP);
}

static bool value_holds(const struct condition_value *value, const struct json_value *found,
                        bool deny, unsigned *given_up)
{
    if (value->json.kind != found->kind)
        return false;
    if (found->kind == JSON_STRING)
        return string_holds(value, found, deny, given_up);
    if (found->kind == JSON_NUMBER)
        return json_number_equal(value->json.text, found->text) ||
               (deny && number_alike(value->json.text, found->text));
    return true;
}

bool condition_holds(const struct condition *condition, enum json_pointer_answer answer,
                     const struct json_value *found, bool deny, unsigned *given_up)
{
    if (answer != JSON_POINTER_FOUND)
        return false;
    if (found->kind == JSON_OBJECT || found->kind == JSON_ARRAY)
        return deny;
    for (size_t i = 0; i < condition->value_count; i++)
        if (value_holds(&condition->values[i], found, deny, given_up))
            return true;
    return false;
}
