#include "conf/document.h"

#include "conf/app_document.h"
#include "conf/auth_config_document.h"
#include "conf/document_hash.h"
#include "conf/lock_document.h"
#include "conf/role_document.h"
#include "conf/suggestion.h"
#include "conf/text_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* In the order of enum document_kind, from DOCUMENT_APP on. */
static const char *const kind_names[] = {"app", "app_auth_config", "role", "lock", NULL};

bool document_list_add(struct document_list *list, const struct document *document)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        struct document *documents;

        if (list->count >= DOCUMENTS_MAX)
            return false;
        documents = realloc(list->documents, capacity * sizeof(*documents));
        if (documents == NULL)
            return false;
        list->documents = documents;
        list->capacity = capacity;
    }
    list->documents[list->count++] = *document;
    return true;
}

void document_list_free(struct document_list *list)
{
    free(list->documents);
    arena_free(&list->arena);
    *list = (struct document_list){0};
}

static enum document_kind document_kind_of(const struct yaml_node *root)
{
    const struct yaml_node *node = yaml_find(root, "kind");

    for (unsigned i = 0; node != NULL && node->kind == YAML_SCALAR && kind_names[i] != NULL; i++)
        if (slice_is(node->text, kind_names[i]))
            return (enum document_kind)(DOCUMENT_APP + i);
    return DOCUMENT_UNKNOWN;
}

static void document_unknown(const struct yaml_node *root, struct schema_context *context,
                             struct document *out)
{
    const struct yaml_node *node = yaml_find(root, "kind");
    const char *nearest;
    char hint[64] = "";

    *out = (struct document){.state = DOCUMENT_REFUSED, .place = root->place};
    if (root->broken && node == NULL)
        return;
    if (node == NULL || node->kind != YAML_SCALAR) {
        schema_error(context, node == NULL ? root : node, "", "kind", NULL,
                     "must be app, app_auth_config, role or lock");
        return;
    }
    nearest = suggestion_find(node->text, kind_names);
    if (nearest != NULL)
        snprintf(hint, sizeof(hint), "did you mean \"%s\"?", nearest);
    else if (slice_is(node->text, "gatehouse"))
        snprintf(hint, sizeof(hint), "the settings are a file of their own");
    schema_error(context, node, "", "kind", hint,
                 "must be app, app_auth_config, role or lock, found \"%.*s\"",
                 node->text.size > 40 ? 40 : (int)node->text.size, node->text.data);
}

static void document_read(const struct yaml_node *root, struct schema_context *context,
                          struct document *out)
{
    enum document_kind kind = document_kind_of(root);
    const struct yaml_node *name = yaml_find(root, "metadata.name");

    switch (kind) {
    case DOCUMENT_APP:
        app_document_read(root, context, out);
        break;
    case DOCUMENT_AUTH_CONFIG:
        auth_config_document_read(root, context, out);
        break;
    case DOCUMENT_ROLE:
        role_document_read(root, context, out);
        break;
    case DOCUMENT_LOCK:
        lock_document_read(root, context, out);
        break;
    case DOCUMENT_UNKNOWN:
        document_unknown(root, context, out);
        break;
    }
    if (root->broken) {
        out->state = DOCUMENT_REFUSED;
        out->hash = slice_make(NULL, 0);
    }
    if (out->name.size == 0 && name != NULL && name->kind == YAML_SCALAR)
        out->name = name->text;
}

void documents_read_text(struct slice text, struct slice file, struct document_list *list,
                         struct diagnostics *diagnostics)
{
    struct slice kept = arena_copy(&list->arena, file);
    struct schema_context context = {
        .arena = &list->arena, .diagnostics = diagnostics, .directory = schema_directory(kept)};
    size_t before = diagnostics->errors;
    const struct yaml_node *root = yaml_read(text, kept, &list->arena, diagnostics);
    struct document document;

    if (root == NULL && diagnostics->errors > before) {
        document = (struct document){.state = DOCUMENT_REFUSED, .place = {.file = kept}};
        document_list_add(list, &document);
    }
    for (; root != NULL; root = root->next) {
        document_read(root, &context, &document);
        if (!document_list_add(list, &document)) {
            schema_error(&context, root, "", "", NULL, "more than %d documents, or out of memory",
                         DOCUMENTS_MAX);
            return;
        }
    }
}

void documents_read_file(int directory, const char *name, struct slice path,
                         struct document_list *list, struct diagnostics *diagnostics,
                         struct stat *status)
{
    struct buffer text = {0};
    const char *reason;
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int error = fd < 0 || fstat(fd, status) < 0 ? -errno : text_file_read(fd, &text);

    if (fd >= 0)
        close(fd);
    if (error == 0) {
        documents_read_text(buffer_slice(&text), path, list, diagnostics);
    } else {
        struct document document = {.state = DOCUMENT_REFUSED};

        reason = text_file_reason(error);
        document.place.file = arena_copy(&list->arena, path);
        diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, document.place, NULL, NULL, "%s", reason);
        document_list_add(list, &document);
    }
    buffer_free(&text);
}

static int document_file_filter(const struct dirent *entry)
{
    struct slice name = slice_from(entry->d_name);

    return entry->d_name[0] != '.' &&
           ((name.size > 5 && slice_is(slice_skip(name, name.size - 5), ".yaml")) ||
            (name.size > 4 && slice_is(slice_skip(name, name.size - 4), ".yml")));
}

static int entry_compare(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int documents_open(const char *directory, struct dirent ***entries, int *count)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error;

    *entries = NULL;
    *count = 0;
    if (fd < 0)
        return -errno;
    *count = scandirat(fd, ".", entries, document_file_filter, entry_compare);
    if (*count >= 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

static void documents_read_entries(int fd, struct slice directory, struct dirent **entries,
                                   int count, struct document_list *list,
                                   struct diagnostics *diagnostics)
{
    struct stat status;
    char path[4096];

    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%.*s/%s", (int)directory.size, directory.data,
                 entries[i]->d_name);
        documents_read_file(fd, entries[i]->d_name, slice_from(path), list, diagnostics, &status);
        free(entries[i]);
    }
    free(entries);
}

int documents_read_directory(struct slice directory, struct document_list *list,
                             struct diagnostics *diagnostics)
{
    struct slice path = arena_copy(&list->arena, directory);
    struct dirent **entries;
    int count;
    int fd;

    if (path.data == NULL)
        return -ENOMEM;
    fd = documents_open(path.data, &entries, &count);
    if (fd < 0)
        return fd;
    documents_read_entries(fd, path, entries, count, list, diagnostics);
    close(fd);
    return 0;
}
