#include "shared/policy_set.h"

#include <errno.h>
#include <stdlib.h>

static struct policy_set set_built_in = {.built_in = true, .admits = true};

struct policy_set *policy_set_open(void)
{
    return &set_built_in;
}

const struct policy_record *policy_record_access(void)
{
#define ALL(of)                                                               \
    {                                                                         \
        .kind = (of), .pattern = {"*", 1}, .place = { "built-in:access", 15 } \
    }
    static const struct policy_rule rules[] = {ALL(POLICY_TOOL), ALL(POLICY_PROMPT),
                                               ALL(POLICY_RESOURCE)};
#undef ALL
    static const struct policy_record record = {.role = {POLICY_ROLE_ACCESS, 6},
                                                .file = {"built-in", 8},
                                                .place = {"built-in:access", 15},
                                                .rules = rules,
                                                .rule_count = POLICY_KINDS};

    return &record;
}

struct policy_set *policy_set_hold(struct policy_set *set)
{
    if (!set->built_in)
        set->holds++;
    return set;
}

static void set_free(struct policy_set *set)
{
    for (size_t i = 0; i < set->rule_count; i++) {
        struct set_rule *rule = &set->rules[i];

        pattern_free(&rule->pattern);
        pattern_free(&rule->folded);
        for (size_t j = 0; j < rule->condition_count; j++)
            condition_free(&rule->conditions[j]);
    }
    for (size_t i = 0; i < set->side_count; i++) {
        buffer_free(&set->sides[i].bytes);
        free(set->sides[i].owned);
    }
    arena_free(&set->arena);
    free(set);
}

void policy_set_release(struct policy_set *set)
{
    if (set != NULL && !set->built_in && --set->holds == 0)
        set_free(set);
}

size_t policy_set_size(const struct policy_set *set)
{
    return set->size;
}

bool policy_set_admits(const struct policy_set *set)
{
    return set->admits && set->whole == NULL;
}

bool policy_set_is_open(const struct policy_set *set, enum policy_kind kind)
{
    return policy_set_admits(set) && (set->built_in || set->open[kind] != NULL);
}

/* A record's own copy: written and read again. */
static int side_copy(struct policy_set *set, const struct policy_record *record)
{
    struct set_side *side = &set->sides[set->side_count];
    int status = policy_record_encode(record, &side->bytes);

    set->side_count++;
    if (status == 0)
        status = policy_record_decode(buffer_slice(&side->bytes), &side->record, &side->owned);
    if (status < 0)
        return status == -ENOMEM ? status : -EBADMSG;
    set->rule_count += side->record.rule_count;
    /* The record, and what its lists, places and patterns take in memory. */
    set->size += buffer_size(&side->bytes) * 10 + 4096 +
                 side->record.rule_count * (side->record.file.size + 512);
    if (!side->record.deny)
        set->admits = true;
    else if (side->record.whole_app && set->whole == NULL)
        set->whole = side;
    return 0;
}

/* Which of the set's distinct pointers it is; POLICY_POINTERS_KEPT: none of the first. */
static size_t pointer_index(struct policy_set *set, const struct slice *pointer)
{
    size_t index = 0;

    while (index < set->pointer_count && !slice_equal(*set->pointers[index], *pointer))
        index++;
    if (index == set->pointer_count && index < POLICY_POINTERS_KEPT)
        set->pointers[set->pointer_count++] = pointer;
    return index;
}

static int rule_conditions(struct policy_set *set, struct set_rule *rule)
{
    size_t count = rule->source->condition_count;

    if (count == 0)
        return 0;
    rule->conditions = arena_array(&set->arena, count, sizeof(*rule->conditions));
    if (rule->conditions == NULL)
        return -ENOMEM;
    while (rule->condition_count < count) {
        const struct policy_condition *source = &rule->source->conditions[rule->condition_count];
        struct condition *condition = &rule->conditions[rule->condition_count++];
        int status = condition_make(condition, source, &set->arena, NULL);

        if (status < 0)
            return status;
        condition->pointer_index = pointer_index(set, &source->pointer);
    }
    return 0;
}

static void rule_add_need(struct set_rule *rule, struct slice scope)
{
    for (size_t i = 0; i < rule->need_count; i++)
        if (slice_equal(rule->needs[i], scope))
            return;
    rule->needs[rule->need_count++] = scope;
}

static int rule_needs(struct policy_set *set, struct set_rule *rule)
{
    const struct policy_record *side = &rule->side->record;

    if (side->scope_count + rule->source->scope_count == 0)
        return 0;
    rule->needs = arena_array(&set->arena, side->scope_count + rule->source->scope_count,
                              sizeof(*rule->needs));
    if (rule->needs == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < side->scope_count; i++)
        rule_add_need(rule, side->scopes[i]);
    for (size_t i = 0; i < rule->source->scope_count; i++)
        rule_add_need(rule, rule->source->scopes[i]);
    return 0;
}

/* A regular expression is not rewritten: it ignores case instead. */
static int rule_fold(struct policy_set *set, struct set_rule *rule)
{
    struct slice text = rule->source->pattern;
    char *room = arena_allocate(&set->arena, text.size + 1);

    if (room == NULL)
        return -ENOMEM;
    rule->folds = true;
    if (rule->pattern.kind != PATTERN_REGEX)
        text = slice_make(room, resource_name_fold(text, room));
    return pattern_make(&rule->folded, text, true, NULL);
}

static int rule_make(struct policy_set *set, struct set_rule *rule, const struct set_side *side,
                     const struct policy_rule *source)
{
    int status;

    rule->source = source;
    rule->side = side;
    status = pattern_make(&rule->pattern, source->pattern, false, NULL);
    if (status == 0 && side->record.deny && source->kind == POLICY_RESOURCE)
        status = rule_fold(set, rule);
    if (status == 0)
        status = rule_conditions(set, rule);
    if (status == 0 && !side->record.deny)
        status = rule_needs(set, rule);
    return status;
}

/* A forbidden resource has two forms: no sorted search finds it by one. */
static bool rule_is_literal(const struct set_rule *rule)
{
    return rule->pattern.kind == PATTERN_LITERAL && !rule->folds;
}

static bool rule_is_open(const struct set_rule *rule)
{
    return !rule->side->record.deny && rule->pattern.kind == PATTERN_ANY &&
           rule->condition_count == 0 && rule->need_count == 0;
}

static int literal_compare(const void *a, const void *b)
{
    const struct set_rule *x = *(const struct set_rule *const *)a;
    const struct set_rule *y = *(const struct set_rule *const *)b;
    int order = slice_compare(x->pattern.text, y->pattern.text);

    return order != 0 ? order : (x > y) - (x < y);
}

static int list_fill(struct policy_set *set, bool deny, enum policy_kind kind)
{
    struct set_list *list = &set->lists[deny][kind];
    size_t count = 0;

    for (size_t i = 0; i < set->rule_count; i++)
        count += set->rules[i].side->record.deny == deny && set->rules[i].source->kind == kind;
    if (count == 0)
        return 0;
    list->literals = arena_array(&set->arena, count, sizeof(*list->literals));
    list->others = arena_array(&set->arena, count, sizeof(*list->others));
    if (list->literals == NULL || list->others == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < set->rule_count; i++) {
        const struct set_rule *rule = &set->rules[i];

        if (rule->side->record.deny != deny || rule->source->kind != kind)
            continue;
        if (rule_is_open(rule) && set->open[kind] == NULL)
            set->open[kind] = rule;
        if (rule_is_literal(rule))
            list->literals[list->literal_count++] = rule;
        else
            list->others[list->other_count++] = rule;
    }
    if (list->literal_count > 1)
        qsort(list->literals, list->literal_count, sizeof(*list->literals), literal_compare);
    return 0;
}

static int set_sort(struct policy_set *set)
{
    int status = 0;

    for (int kind = 0; kind < POLICY_KINDS && status == 0; kind++) {
        status = list_fill(set, false, (enum policy_kind)kind);
        if (status == 0)
            status = list_fill(set, true, (enum policy_kind)kind);
        if (set->lists[true][kind].literal_count + set->lists[true][kind].other_count > 0)
            set->open[kind] = NULL;
    }
    return status;
}

static int set_compile(struct policy_set *set)
{
    size_t at = 0;

    set->rules = arena_array(&set->arena, set->rule_count + 1, sizeof(*set->rules));
    if (set->rules == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < set->side_count; i++) {
        const struct set_side *side = &set->sides[i];

        for (size_t j = 0; j < side->record.rule_count; j++) {
            int status = rule_make(set, &set->rules[at++], side, &side->record.rules[j]);

            if (status < 0)
                return status;
        }
    }
    return set_sort(set);
}

int policy_set_make(struct policy_set **out, const struct policy_record *records, size_t count)
{
    struct policy_set *set = calloc(1, sizeof(*set));
    int status = 0;

    if (set == NULL)
        return -ENOMEM;
    set->holds = 1;
    set->size = sizeof(*set);
    set->sides = arena_array(&set->arena, count + 1, sizeof(*set->sides));
    if (set->sides == NULL)
        status = -ENOMEM;
    for (size_t i = 0; i < count && status == 0; i++)
        status = side_copy(set, &records[i]);
    if (status == 0)
        status = set_compile(set);
    if (status < 0) {
        if (set->rules == NULL)
            set->rule_count = 0;
        set_free(set);
        return status == -ENOMEM ? status : -EBADMSG;
    }
    *out = set;
    return 0;
}
