/* master/gatehouse.yaml.5 names every key of the tables, each with its type, range and default, and
 * no others. A key's tag is a line: .BR key " (type, range, required or default)". */
#include "conf/app_schema.h"
#include "conf/auth_config_schema.h"
#include "conf/lock_schema.h"
#include "conf/role_schema.h"
#include "conf/scalar.h"
#include "conf/settings_schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE "master/gatehouse.yaml.5"
#define TABLE(name, title, path)                                               \
    {                                                                          \
        .schema = &name, .symbol = #name, .section = (title), .prefix = (path) \
    }

static const struct table {
    const struct schema *schema;
    const char *symbol;
    const char *section; /* of the page; NULL: another table's keys, test_apps_of_settings */
    const char *prefix;  /* what leads to the table's keys */
} tables[] = {
    TABLE(settings_schema, "SETTINGS", ""),
    TABLE(listener_schema, "SETTINGS", "gate.listen[]."),
    TABLE(certificate_schema, "SETTINGS", "gate.listen[].tls.certificates[]."),
    TABLE(app_entry_schema, NULL, ""),
    TABLE(app_document_schema, "APPS", ""),
    TABLE(app_endpoint_schema, "APPS", "spec.endpoints[]."),
    TABLE(app_header_schema, "APPS", "spec.rewrite.headers[]."),
    TABLE(auth_config_schema, "APP AUTH CONFIGS", ""),
    TABLE(role_mapping_schema, "APP AUTH CONFIGS", "spec.jwt.claims_to_roles[]."),
    TABLE(role_schema, "ROLES", ""),
    TABLE(role_rule_schema, "ROLES", "spec.allow.mcp.tools[]."),
    TABLE(role_argument_schema, "ROLES", "spec.allow.mcp.tools[].arguments[]."),
    TABLE(lock_schema, "LOCKS", ""),
};

enum { TABLES = sizeof(tables) / sizeof(tables[0]), KEY_MAX = 256, LINE_MAX_SIZE = 512 };

static char *page;

static char *text_of(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;

    if (file == NULL)
        return NULL;
    if (getdelim(&text, &room, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

static int open_page(void **state)
{
    (void)state;
    page = text_of(PAGE);
    if (page == NULL)
        print_error("%s cannot be read from here\n", PAGE);
    return page == NULL;
}

static int close_page(void **state)
{
    (void)state;
    free(page);
    return 0;
}

/* The section's text, for the caller to free. */
static char *section_of(const char *name)
{
    char heading[64];
    const char *begin;
    const char *end;

    snprintf(heading, sizeof(heading), "\n.SH %s\n", name);
    begin = strstr(page, heading);
    if (begin == NULL)
        fail_msg("%s has no section %s", PAGE, name);
    begin += strlen(heading) - 1;
    end = strstr(begin, "\n.SH ");
    return strndup(begin, end == NULL ? strlen(begin) : (size_t)(end - begin));
}

static void append(char *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(char *out, const char *format, ...)
{
    size_t size = strlen(out);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(out + size, LINE_MAX_SIZE - size, format, arguments);
    va_end(arguments);
}

static void append_choices(char *out, const char *const *choices)
{
    for (size_t i = 0; choices[i] != NULL; i++)
        append(out, "%s%s", i == 0 ? "" : choices[i + 1] == NULL ? " or " : ", ", choices[i]);
}

static void append_range(char *out, const struct schema_row *row)
{
    char low[32];
    char high[32];

    if (row->type == SCHEMA_SIZE) {
        scalar_format_size(row->low, low, sizeof(low));
        scalar_format_size(row->high, high, sizeof(high));
    } else if (row->type == SCHEMA_DURATION) {
        scalar_format_duration(row->low, low, sizeof(low));
        scalar_format_duration(row->high, high, sizeof(high));
    } else {
        snprintf(low, sizeof(low), "%" PRIu64, row->low);
        snprintf(high, sizeof(high), "%" PRIu64, row->high);
    }
    if (row->high == 0)
        return;
    if (row->type == SCHEMA_STRING || row->type == SCHEMA_PATH)
        append(out, ", at most %s bytes", high);
    else if (row->low == 0 && row->type >= SCHEMA_STRINGS)
        append(out, ", at most %s", high);
    else
        append(out, ", %s to %s", low, high);
}

/* The line of the page that begins the key's entry; of SCHEMA_ANY only its beginning. */
static void expected_tag(const struct table *table, const struct schema_row *row, char *out)
{
    static const char *const types[] = {
        [SCHEMA_STRING] = "text",          [SCHEMA_PATH] = "path", [SCHEMA_BOOL] = "true or false",
        [SCHEMA_INTEGER] = "number",       [SCHEMA_SIZE] = "size", [SCHEMA_DURATION] = "time",
        [SCHEMA_STRINGS] = "text or list", [SCHEMA_LIST] = "list", [SCHEMA_MAP] = "mapping",
    };

    out[0] = '\0';
    append(out, "\n.BR %s%s \" (", table->prefix, row->path);
    if (row->type == SCHEMA_ANY)
        return;
    if (row->type == SCHEMA_CHOICE)
        append_choices(out, row->choices);
    else
        append(out, "%s", types[row->type]);
    append_range(out, row);
    if (row->required)
        append(out, ", required");
    else if (row->fallback != NULL)
        append(out, ", default %s", row->fallback);
    else if (row->type == SCHEMA_BOOL)
        append(out, ", default false");
    append(out, ")\"\n");
}

static bool is_name(char byte)
{
    return byte != '\0' && (strchr("._", byte) != NULL || (byte >= 'a' && byte <= 'z') ||
                            (byte >= '0' && byte <= '9'));
}

/* Whether the section names the key as a whole. */
static bool names(const char *section, const char *key)
{
    size_t size = strlen(key);

    for (const char *at = strstr(section, key); at != NULL; at = strstr(at + 1, key))
        if (!is_name(at[-1]) && !is_name(at[size]))
            return true;
    return false;
}

/* A line that begins an entry, alone (.TP) or with those before it (.TQ). */
static bool is_tag(const char *section, const char *line)
{
    return line - section >= 3 &&
           (strncmp(line - 3, ".TP", 3) == 0 || strncmp(line - 3, ".TQ", 3) == 0);
}

static bool has_tag(const char *section, const char *text)
{
    for (const char *at = strstr(section, text); at != NULL; at = strstr(at + 1, text))
        if (is_tag(section, at))
            return true;
    return false;
}

static size_t check_row(const struct table *table, const struct schema_row *row,
                        const char *section)
{
    char text[LINE_MAX_SIZE];

    if (row->type == SCHEMA_REFUSED) {
        snprintf(text, sizeof(text), "%s%s", table->prefix, row->path);
        if (names(section, text))
            return 0;
    } else {
        expected_tag(table, row, text);
        if (has_tag(section, text))
            return 0;
    }
    print_error("%s, %s, needs: %s\n", PAGE, table->section, text);
    return 1;
}

static void test_names_every_key(void **state)
{
    size_t missing = 0;

    (void)state;
    for (size_t i = 0; i < TABLES; i++) {
        char *section = tables[i].section == NULL ? NULL : section_of(tables[i].section);

        for (size_t j = 0; section != NULL && j < tables[i].schema->count; j++)
            if (tables[i].schema->rows[j].type != SCHEMA_MAPPING)
                missing += check_row(&tables[i], &tables[i].schema->rows[j], section);
        free(section);
    }
    assert_int_equal(missing, 0);
}

static bool is_key(const char *section, const char *key)
{
    char path[KEY_MAX];

    for (size_t i = 0; i < TABLES; i++)
        for (size_t j = 0; j < tables[i].schema->count; j++) {
            const struct schema_row *row = &tables[i].schema->rows[j];

            snprintf(path, sizeof(path), "%s%s", tables[i].prefix, row->path);
            if (tables[i].section != NULL && strcmp(tables[i].section, section) == 0 &&
                row->type != SCHEMA_MAPPING && strcmp(path, key) == 0)
                return true;
        }
    return false;
}

static size_t count_unknown(const char *name)
{
    char *section = section_of(name);
    size_t unknown = 0;

    for (const char *tag = strchr(section + 1, '\n'); tag != NULL; tag = strchr(tag, '\n')) {
        char key[KEY_MAX] = "";

        tag++;
        if (!is_tag(section, tag - 1) || (sscanf(tag, ".BR %255s", key) == 1 && is_key(name, key)))
            continue;
        print_error("%s, %s: no table has: %.*s\n", PAGE, name, (int)strcspn(tag, "\n"), tag);
        unknown++;
    }
    free(section);
    return unknown;
}

static void test_names_no_other(void **state)
{
    size_t unknown = 0;

    (void)state;
    for (size_t i = 0; i < TABLES; i++)
        if (tables[i].section != NULL && tables[i].prefix[0] == '\0')
            unknown += count_unknown(tables[i].section);
    assert_int_equal(unknown, 0);
}

static bool same_key(const struct schema_row *row, const char *path)
{
    static const char *const prefixes[] = {"metadata.", "spec.", NULL};

    for (const char *const *prefix = prefixes; *prefix != NULL; prefix++)
        if (strncmp(row->path, *prefix, strlen(*prefix)) == 0 &&
            strcmp(row->path + strlen(*prefix), path) == 0)
            return true;
    return false;
}

/* The page says of app_service.apps: as in documents, without metadata and spec. */
static void test_apps_of_settings(void **state)
{
    const struct schema *entry = &app_entry_schema;
    const struct schema *document = &app_document_schema;

    (void)state;
    assert_int_equal(document->count, entry->count + 4); /* version, kind, metadata, spec */
    for (size_t i = 0; i < entry->count; i++) {
        bool found = false;

        for (size_t j = 0; j < document->count && !found; j++)
            found = same_key(&document->rows[j], entry->rows[i].path) &&
                    document->rows[j].type == entry->rows[i].type &&
                    document->rows[j].required == entry->rows[i].required;
        if (!found)
            fail_msg("app_service.apps: %s", entry->rows[i].path);
    }
}

static bool is_looked_at(const char *symbol)
{
    for (size_t i = 0; i < TABLES; i++)
        if (strcmp(tables[i].symbol, symbol) == 0)
            return true;
    /* Its keys, name and values, stand in the description of app_labels. */
    return strcmp(symbol, "selector_schema") == 0;
}

/* A table that is new comes into `tables` above. */
static void test_looks_at_every_table(void **state)
{
    static const char definition[] = "const struct schema ";
    size_t seen = 0;
    glob_t files;

    (void)state;
    assert_int_equal(glob("conf/*.c", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        char *text = text_of(files.gl_pathv[i]);

        assert_non_null(text);
        for (char *at = strstr(text, definition); at != NULL; at = strstr(at, definition)) {
            char symbol[KEY_MAX];

            at += strlen(definition);
            if (sscanf(at, "%255[a-z_]", symbol) != 1 || at[strlen(symbol)] != ' ')
                continue;
            seen++;
            if (!is_looked_at(symbol))
                fail_msg("%s: %s is not looked at here", files.gl_pathv[i], symbol);
        }
        free(text);
    }
    globfree(&files);
    assert_int_equal(seen, TABLES + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_every_key),
        cmocka_unit_test(test_names_no_other),
        cmocka_unit_test(test_apps_of_settings),
        cmocka_unit_test(test_looks_at_every_table),
    };

    return cmocka_run_group_tests(tests, open_page, close_page);
}
