/* Any message: what the filter lets go on is JSON, lists what is allowed and nothing else, in the
 * order of the original, and passes a second time as it is. */
#include "shared/json_name.h"
#include "tests/unit/shared/policy_example.h"
#include "worker/list_filter.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *list, *name;
    enum policy_kind kind;
} lists[] = {
    {"tools", "name", POLICY_TOOL},
    {"prompts", "name", POLICY_PROMPT},
    {"resources", "uri", POLICY_RESOURCE},
    {"resourceTemplates", "uriTemplate", POLICY_RESOURCE},
};

static void check(bool condition)
{
    if (!condition)
        abort();
}

static struct policy_set *policy(void)
{
    static struct policy_set *set;
    static const struct policy_rule rules[] = {RULE(POLICY_TOOL, "a*"), RULE(POLICY_PROMPT, "b"),
                                               RULE(POLICY_RESOURCE, "c:*")};
    const struct policy_record record = {.role = TEXT("r"),
                                         .file = TEXT("f"),
                                         .place = TEXT("f:1:1"),
                                         .rules = rules,
                                         .rule_count = 3};

    if (set == NULL)
        check(policy_set_make(&set, &record, 1) == 0);
    return set;
}

/* A member of that name; others may come twice. JSON_INVALID: there is none. */
static struct json_value member(const struct json_value *object, const char *wanted)
{
    struct json_iterator iterator;
    struct json_value value;
    struct json_text name;

    json_iterate(&iterator, object);
    while (json_next(&iterator, &name.raw, &name.escaped, &value) == 1) {
        if (json_name_likeness(name, slice_from(wanted)) == JSON_NAME_EQUAL)
            return value;
    }
    return (struct json_value){0};
}

static bool allowed(size_t list, const struct json_value *element)
{
    struct json_value name;
    char decoded[4096];
    long size;

    check(element->kind == JSON_OBJECT);
    name = member(element, lists[list].name);
    check(name.kind == JSON_STRING);
    size = json_string(&name, decoded, sizeof(decoded));
    if (size < 0)
        return false;
    if (list == 3)
        return policy_lists_template(policy(), slice_make(decoded, (size_t)size));
    return policy_lists(policy(), lists[list].kind, slice_make(decoded, (size_t)size));
}

/* The list's elements that are allowed, one after the other; `all`: every element is to be. */
static void elements(size_t list, const struct json_value *array, bool all, struct buffer *out)
{
    struct json_iterator iterator;
    struct json_value element;

    check(array->kind == JSON_ARRAY);
    json_iterate(&iterator, array);
    while (json_next(&iterator, NULL, NULL, &element) == 1) {
        bool may = allowed(list, &element);

        check(may || !all);
        if (may)
            buffer_append_slice(out, element.text);
    }
}

static void compare(struct slice before, struct slice after)
{
    struct json_value root[2], result[2], array[2];
    const char *reason;

    check(json_parse(before, &root[0], &reason) == 0);
    check(json_parse(after, &root[1], &reason) == 0);
    for (size_t i = 0; i < 2; i++)
        result[i] = member(&root[i], "result");
    check(result[0].kind == result[1].kind);
    for (size_t i = 0; result[0].kind == JSON_OBJECT && i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct buffer kept[2] = {{0}};

        array[0] = member(&result[0], lists[i].list);
        array[1] = member(&result[1], lists[i].list);
        check(array[0].kind == array[1].kind);
        if (array[0].kind == JSON_INVALID)
            continue;
        elements(i, &array[0], false, &kept[0]);
        elements(i, &array[1], true, &kept[1]);
        check(slice_equal(buffer_slice(&kept[0]), buffer_slice(&kept[1])));
        buffer_free(&kept[0]);
        buffer_free(&kept[1]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct list_filter filter = {.policy = policy()};
    struct buffer out = {0};
    struct buffer again = {0};
    struct slice text;
    enum mcp_verdict verdict;

    if (size < 1)
        return 0;
    filter.modern = (data[0] & 1) != 0;
    filter.id = slice_from((data[0] & 2) != 0 ? "1" : "");
    text = slice_make((const char *)data + 1, size - 1);
    verdict = list_filter_message(&filter, text, &out);
    if (filter.refusal == NULL && verdict == MCP_REPLACED)
        compare(text, buffer_slice(&out));
    else if (filter.refusal == NULL && verdict == MCP_PASSES)
        compare(text, text);
    if (verdict == MCP_REPLACED)
        check(list_filter_message(&filter, buffer_slice(&out), &again) == MCP_PASSES);
    buffer_free(&out);
    buffer_free(&again);
    return 0;
}
