#include "shared/policy_record.h"

#include "shared/record.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

/* Bytes of the shortest field, ` at=0:`: what a record's lists hold at most follows from its size.
 */
enum { FIELD_SIZE_MIN = 6 };

static const char *const policy_kind_names[POLICY_KINDS] = {"tool", "prompt", "resource"};

const char *policy_kind_name(enum policy_kind kind)
{
    return policy_kind_names[kind];
}

/* What follows the file's name and a colon; the file stands once in a record. */
static int place_put(struct record_writer *writer, const struct policy_record *record,
                     struct slice place)
{
    struct slice rest = slice_skip(place, record->file.size);

    if (!slice_has_prefix(place, record->file) || rest.size < 2 || rest.data[0] != ':')
        return -EINVAL;
    record_put(writer, "at", slice_skip(rest, 1));
    return 0;
}

static void list_put(struct record_writer *writer, const char *name, const struct slice *values,
                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        record_put(writer, name, values[i]);
}

static void selectors_put(struct record_writer *writer, const struct policy_record *record)
{
    for (size_t i = 0; i < record->selector_count; i++) {
        record_put(writer, "label", record->selectors[i].name);
        list_put(writer, "is", record->selectors[i].values, record->selectors[i].value_count);
    }
}

static int rule_put(struct record_writer *writer, const struct policy_record *record,
                    const struct policy_rule *rule)
{
    if (rule->scope_count > POLICY_SCOPES_MAX || rule->condition_count > POLICY_CONDITIONS_MAX)
        return -EINVAL;
    record_put(writer, policy_kind_names[rule->kind], rule->pattern);
    if (place_put(writer, record, rule->place) < 0)
        return -EINVAL;
    list_put(writer, "needs", rule->scopes, rule->scope_count);
    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct policy_condition *condition = &rule->conditions[i];

        if (condition->value_count == 0 || condition->value_count > POLICY_VALUES_MAX)
            return -EINVAL;
        record_put(writer, "argument", condition->pointer);
        list_put(writer, "is", condition->values, condition->value_count);
    }
    return 0;
}

int policy_record_encode(const struct policy_record *record, struct buffer *out)
{
    struct record_writer writer;
    int status;

    if (record->rule_count > POLICY_RULES_MAX || record->scope_count > POLICY_SCOPES_MAX ||
        record->selector_count > LABELS_MAX)
        return -EINVAL;
    record_begin(&writer, out, '1');
    record_put(&writer, "role", record->role);
    record_put_number(&writer, "deny", record->deny);
    record_put_number(&writer, "whole_app", record->whole_app);
    record_put(&writer, "file", record->file);
    status = place_put(&writer, record, record->place);
    selectors_put(&writer, record);
    list_put(&writer, "scope", record->scopes, record->scope_count);
    for (size_t i = 0; i < record->rule_count && status == 0; i++)
        status = rule_put(&writer, record, &record->rules[i]);
    return status < 0 ? status : record_finish(&writer);
}

/* Where decoding puts its lists: one block, whose parts are as large as the bytes allow. */
struct policy_room {
    struct label_selector *selectors;
    struct policy_rule *rules;
    struct policy_condition *conditions;
    struct slice *slices;
    size_t slice_count;
    size_t slices_used, conditions_used, conditions_max;
    char *places;
    size_t place_size; /* of one place at most */
};

enum { PLACE_NUMBERS_MAX = 24 }; /* bytes of ":line:column" */

static int room_make(struct policy_room *room, struct slice bytes, struct slice file, void **owned)
{
    size_t fields = bytes.size / FIELD_SIZE_MIN + 1;
    size_t rules = fields < POLICY_RULES_MAX ? fields : POLICY_RULES_MAX;
    size_t size;
    char *at;

    memset(room, 0, sizeof(*room));
    room->slice_count = fields;
    room->conditions_max = fields;
    room->place_size = file.size + PLACE_NUMBERS_MAX;
    size = LABELS_MAX * sizeof(struct label_selector) + rules * sizeof(struct policy_rule) +
           fields * (sizeof(struct policy_condition) + sizeof(struct slice)) +
           (rules + 1) * room->place_size;
    at = calloc(1, size);
    if (at == NULL)
        return -ENOMEM;
    *owned = at;
    room->selectors = (struct label_selector *)(void *)at;
    room->rules = (struct policy_rule *)(void *)(room->selectors + LABELS_MAX);
    room->conditions = (struct policy_condition *)(void *)(room->rules + rules);
    room->slices = (struct slice *)(void *)(room->conditions + fields);
    room->places = (char *)(room->slices + fields);
    return 0;
}

static struct slice place_get(struct record_reader *reader, struct policy_room *room,
                              struct slice file)
{
    struct slice at = record_get(reader, "at");
    char *place = room->places;

    if (at.size == 0 || at.size >= PLACE_NUMBERS_MAX) {
        reader->failed = true;
        return slice_make(NULL, 0);
    }
    memcpy(place, file.data, file.size);
    place[file.size] = ':';
    memcpy(place + file.size + 1, at.data, at.size);
    room->places += room->place_size;
    return slice_make(place, file.size + 1 + at.size);
}

/* A repeated field, at most `max` times, into the room's slices. */
static size_t list_get(struct record_reader *reader, struct policy_room *room, const char *name,
                       size_t max, const struct slice **out)
{
    size_t left = room->slice_count - room->slices_used;
    struct slice *values = room->slices + room->slices_used;
    size_t count = record_get_list(reader, name, values, left < max ? left : max);

    room->slices_used += count;
    *out = values;
    return count;
}

static void selectors_get(struct record_reader *reader, struct policy_room *room,
                          struct policy_record *out)
{
    out->selectors = room->selectors;
    while (out->selector_count < LABELS_MAX && record_next_is(reader, "label")) {
        struct label_selector *selector = &room->selectors[out->selector_count++];

        selector->name = record_get(reader, "label");
        selector->value_count = list_get(reader, room, "is", room->slice_count, &selector->values);
        if (selector->value_count == 0)
            reader->failed = true;
    }
}

static void conditions_get(struct record_reader *reader, struct policy_room *room,
                           struct policy_rule *rule)
{
    struct policy_condition *conditions = room->conditions + room->conditions_used;

    rule->conditions = conditions;
    while (rule->condition_count < POLICY_CONDITIONS_MAX &&
           room->conditions_used < room->conditions_max && record_next_is(reader, "argument")) {
        struct policy_condition *condition = &conditions[rule->condition_count++];

        room->conditions_used++;
        condition->pointer = record_get(reader, "argument");
        condition->value_count =
            list_get(reader, room, "is", POLICY_VALUES_MAX, &condition->values);
        if (condition->value_count == 0)
            reader->failed = true;
    }
}

/* False when no rule follows. */
static bool rule_get(struct record_reader *reader, struct policy_room *room, struct slice file,
                     struct policy_rule *rule)
{
    for (int kind = 0; kind < POLICY_KINDS; kind++) {
        if (!record_next_is(reader, policy_kind_names[kind]))
            continue;
        rule->kind = (enum policy_kind)kind;
        rule->pattern = record_get(reader, policy_kind_names[kind]);
        rule->place = place_get(reader, room, file);
        rule->scope_count = list_get(reader, room, "needs", POLICY_SCOPES_MAX, &rule->scopes);
        conditions_get(reader, room, rule);
        if (rule->kind != POLICY_TOOL && rule->condition_count > 0)
            reader->failed = true;
        return true;
    }
    return false;
}

int policy_record_decode(struct slice bytes, struct policy_record *out, void **owned)
{
    struct record_reader reader;
    struct policy_room room;
    struct policy_rule *rules;
    int status;

    *out = (struct policy_record){0};
    *owned = NULL;
    record_open(&reader, bytes, '1');
    out->role = record_get(&reader, "role");
    out->deny = record_get_range(&reader, "deny", 0, 1) == 1;
    out->whole_app = record_get_range(&reader, "whole_app", 0, 1) == 1;
    out->file = record_get(&reader, "file");
    if (reader.failed || out->file.size == 0)
        return -EBADMSG;
    status = room_make(&room, bytes, out->file, owned);
    if (status < 0)
        return status;
    rules = room.rules;
    out->rules = rules;
    out->place = place_get(&reader, &room, out->file);
    selectors_get(&reader, &room, out);
    out->scope_count = record_get_list(&reader, "scope", out->scopes, POLICY_SCOPES_MAX);
    while (!reader.failed && out->rule_count < POLICY_RULES_MAX &&
           rule_get(&reader, &room, out->file, &rules[out->rule_count]))
        out->rule_count++;
    status = record_end(&reader);
    if (status == 0 && out->whole_app && (!out->deny || out->rule_count > 0))
        status = -EBADMSG;
    if (status < 0) {
        free(*owned);
        *owned = NULL;
    }
    return status;
}

void policy_record_key(struct store_key *key, struct slice role, bool deny)
{
    store_key_begin(key);
    store_key_plain(key, "role");
    store_key_part(key, role);
    store_key_plain(key, deny ? "deny" : "allow");
}

int policy_match_encode(struct policy_match match, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, '1');
    record_put_number(&writer, "allow", match.allow);
    record_put_number(&writer, "deny", match.deny);
    return record_finish(&writer);
}

int policy_match_decode(struct slice bytes, struct policy_match *out)
{
    struct record_reader reader;

    record_open(&reader, bytes, '1');
    out->allow = record_get_range(&reader, "allow", 0, 1) == 1;
    out->deny = record_get_range(&reader, "deny", 0, 1) == 1;
    return record_end(&reader);
}

void policy_match_key(struct store_key *key, struct slice app, struct slice role)
{
    store_key_begin(key);
    store_key_plain(key, "app");
    store_key_part(key, app);
    store_key_part(key, role);
}
