#include "shared/json_table.h"

#include "shared/json_scan.h"

#include <errno.h>

/* The object that begins there, without what space follows it. */
static struct slice json_table_text(struct slice text, const char *begin)
{
    const char *end = text.data + text.size;

    while (end[-1] != '}')
        end--;
    return slice_make(begin, (size_t)(end - begin));
}

int json_table_read(struct json_table *table, struct slice text, struct json_value *object)
{
    struct json_scan scan;
    struct json_text name;
    const char *begin;
    int next;

    table->names.count = 0;
    if (!json_scan_begin(&scan, text) || json_scan_kind(&scan) != JSON_OBJECT)
        return -EINVAL;
    begin = scan.at;
    if (!json_scan_enter(&scan))
        return -EINVAL;
    while ((next = json_scan_next(&scan, &name)) == 1) {
        if (json_names_add(&table->names, name) != 0 ||
            !json_scan_value(&scan, &table->values[table->names.count - 1]))
            return -EINVAL;
    }
    if (next != 0 || !json_scan_end(&scan))
        return -EINVAL;
    *object = (struct json_value){.kind = JSON_OBJECT, .text = json_table_text(text, begin)};
    return 0;
}

struct json_value json_table_get(const struct json_table *table, struct slice name)
{
    for (size_t i = 0; i < table->names.count; i++) {
        const struct json_text *text = &table->names.texts[i];

        if ((text->escaped || text->raw.size == name.size) && json_text_is(*text, name))
            return table->values[i];
    }
    return (struct json_value){0};
}
