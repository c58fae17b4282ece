/* schema.h: one table of keys drives the check of a document: which keys there are, of what type
 * and range, which are required, what the others default to, and where the value goes.
 *
 * A row names its key by path, "gate.limits.head_timeout". schema_read walks a mapping with its
 * table, refuses what no row names ("did you mean"), says what it found instead of what it wanted,
 * goes on after every mistake, and writes each value into the target structure at the row's offset.
 * Values that are no scalar are left as nodes, for the caller to walk with a table of their own.
 */
#ifndef GATEHOUSE_CONF_SCHEMA_H
#define GATEHOUSE_CONF_SCHEMA_H

#include "conf/yaml.h"

#include <stdint.h>

/* What stands in the document, and what is written to the target. */
enum schema_type {
    SCHEMA_MAPPING,  /* a mapping whose keys have rows; writes nothing */
    SCHEMA_STRING,   /* struct slice; low and high bound its size in bytes */
    SCHEMA_PATH,     /* struct slice: absolute, or relative to the document's directory */
    SCHEMA_BOOL,     /* bool */
    SCHEMA_INTEGER,  /* uint64_t */
    SCHEMA_SIZE,     /* uint64_t bytes: "512", "16KiB", "1GiB" */
    SCHEMA_DURATION, /* uint64_t milliseconds: "500ms", "30s", "1h30m" */
    SCHEMA_CHOICE,   /* unsigned: index into choices */
    SCHEMA_STRINGS,  /* const struct yaml_node *: a string, or a list of strings */
    SCHEMA_LIST,     /* const struct yaml_node * */
    SCHEMA_MAP,      /* const struct yaml_node *: a mapping with free keys and strings as values */
    SCHEMA_ANY,      /* const struct yaml_node *: the caller checks its kind */
    SCHEMA_REFUSED,  /* known elsewhere, not here: `hint` says why */
};

struct schema_row {
    const char *path;
    enum schema_type type;
    bool required;      /* when the mapping around it is there */
    size_t offset;      /* of the value in the target */
    uint64_t low, high; /* range in the target's unit; of lists and maps: the count; both 0: any */
    const char *fallback;                    /* the default, as one would write it; NULL: zero */
    const char *const *choices;              /* NULL-terminated */
    const char *(*check)(struct slice text); /* of strings: why one is wrong, or NULL */
    const char *hint;
};

struct schema {
    const struct schema_row *rows;
    size_t count;
};

/* Carried through the reading of one document. */
struct schema_context {
    struct arena *arena; /* owns made strings (paths) */
    struct diagnostics *diagnostics;
    struct slice directory; /* for relative paths, without a trailing '/' */
};

/* Reads a mapping. `prefix` is what leads to it ("gate.listen[1]", or ""). The target must be
 * zeroed. True when nothing was wrong; defaults are written either way. */
bool schema_read(const struct schema *schema, const struct yaml_node *mapping, const char *prefix,
                 struct schema_context *context, void *target);

/* An error at the node, about the key `prefix`.`name` (each may be ""). */
void schema_error(struct schema_context *context, const struct yaml_node *node, const char *prefix,
                  const char *name, const char *hint, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* A string out of a scalar node. False after an error: "must be a string, found ...". */
bool schema_string(struct schema_context *context, const struct yaml_node *node, const char *prefix,
                   const char *name, struct slice *out);

/* What relative paths in a file are relative to: the file's directory, without the last '/'. */
struct slice schema_directory(struct slice file);

/* A path as SCHEMA_PATH reads it; data is NULL when there is no memory. Empty stays empty. */
struct slice schema_absolute(struct schema_context *context, struct slice text);

#endif
