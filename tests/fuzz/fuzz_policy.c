/* Five lines of any bytes: a pattern, a pointer, a value, a name and arguments. What a rule allows,
 * the same rule forbids when it stands on the other side; what a call may do, a list shows. */
#include "shared/policy.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static struct slice next_line(struct slice *rest)
{
    const char *end = rest->size == 0 ? NULL : memchr(rest->data, '\n', rest->size);
    struct slice line = *rest;

    if (end != NULL)
        line.size = (size_t)(end - rest->data);
    *rest = slice_skip(*rest, line.size + 1);
    return line;
}

static struct policy_decision judge(const struct policy_record *records, size_t count,
                                    const struct policy_query *query, bool *lists)
{
    struct policy_set *set;
    struct policy_decision decision = {.outcome = POLICY_DENIED};

    if (policy_set_make(&set, records, count) != 0)
        return decision;
    *lists = policy_lists(set, query->kind, query->name);
    decision = policy_judge(set, query);
    policy_set_release(set);
    return decision;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_make((const char *)data, size);
    struct slice pattern = next_line(&rest), pointer = next_line(&rest), value = next_line(&rest);
    struct policy_query query = {.name = next_line(&rest)};
    struct policy_condition condition = {.pointer = pointer, .values = &value, .value_count = 1};
    struct policy_rule rules[2] = {
        {.pattern = pattern, .place = slice_from("f:1:1")},
        {.pattern = pattern,
         .conditions = &condition,
         .condition_count = 1,
         .place = slice_from("f:2:1")},
    };
    struct policy_record records[2] = {
        {.role = slice_from("a"), .file = slice_from("f"), .place = slice_from("f:1:1")},
        {.role = slice_from("d"), .file = slice_from("f"), .place = slice_from("f:1:1")}};
    struct json_value arguments;
    const char *reason;
    bool lists = false;

    if (json_parse(rest, &arguments, &reason) == 0 && arguments.kind == JSON_OBJECT)
        query.arguments = &arguments;
    records[1].deny = true;
    records[0].rule_count = records[1].rule_count = 1;
    for (int i = 0; i < 4; i++) {
        bool conditional = i == 1;

        query.kind = i < 2 ? POLICY_TOOL : (enum policy_kind)(i - 1);
        rules[conditional].kind = query.kind;
        records[0].rules = records[1].rules = &rules[conditional];
        if (judge(records, 1, &query, &lists).outcome == POLICY_ALLOWED)
            check(lists);
        check(judge(records, 2, &query, &lists).outcome != POLICY_ALLOWED);
        if (!conditional)
            check(!lists);
    }
    return 0;
}
