#include "conf/app_document.h"
#include "conf/document.h"
#include "conf/listener_document.h"
#include "conf/scalar.h"
#include "conf/settings_schema.h"
#include "shared/uri.h"

#include <pwd.h>
#include <sched.h>
#include <stdio.h>

enum {
    PREFIX_MAX = 64,        /* bytes of "app_service.apps[12345]" */
    USER_NAME_MAX = 64,     /* bytes */
    USER_ENTRY_MAX = 16384, /* bytes of one entry of the user database */
};

/* scheme "://" host [":" port] in lower case, without the scheme's own port: what a client's URL
 * class makes of what its user typed, and so what it compares resource identifiers with. */
static void public_addr_canonical(struct settings *settings, const struct uri *uri,
                                  struct schema_context *context)
{
    bool v6 = memchr(uri->host.data, ':', uri->host.size) != NULL;
    bool odd_port = uri->port != (uri->tls ? 443 : 80);
    size_t room = uri->host.size + 32;
    char *text = arena_allocate(context->arena, room);
    size_t scheme;

    if (text == NULL)
        return;
    snprintf(text, room, "%s%s%.*s%s", uri->tls ? "https://" : "http://", v6 ? "[" : "",
             (int)uri->host.size, uri->host.data, v6 ? "]" : "");
    for (char *byte = text; *byte != '\0'; byte++)
        if (*byte >= 'A' && *byte <= 'Z')
            *byte = (char)(*byte | 0x20);
    scheme = (uri->tls ? strlen("https://") : strlen("http://")) + v6;
    settings->public_host = slice_make(text + scheme, uri->host.size);
    if (odd_port)
        snprintf(text + strlen(text), room - strlen(text), ":%u", uri->port);
    settings->public_addr = slice_from(text);
}

static const char *public_addr_wrong(const struct uri *uri)
{
    if (!slice_equal_nocase(uri->scheme, slice_from("https")) &&
        !slice_equal_nocase(uri->scheme, slice_from("http")))
        return "must begin with https://";
    if (uri->path.size > 0 && !slice_is(uri->path, "/"))
        return "must have no path: apps are at /mcp/apps/NAME below it";
    if (uri->query.size > 0)
        return "must have no query";
    return NULL;
}

/* http: only where tokens cannot be read on the way, or where a listener says that it is meant. */
static void public_addr_read(struct settings *settings, const struct yaml_node *root,
                             bool any_insecure, struct schema_context *context)
{
    const char *name = "gate.public_addr";
    const struct yaml_node *node = yaml_find(root, name);
    const char *reason;
    struct uri uri;

    if (settings->public_addr.size == 0)
        return;
    if (uri_parse(settings->public_addr, &uri, &reason) == 0)
        reason = public_addr_wrong(&uri);
    if (reason != NULL) {
        schema_error(context, node, "", name, "such as https://gate.example.com", "%s", reason);
        return;
    }
    if (!uri.tls && !uri_is_loopback(&uri) && !any_insecure)
        schema_error(context, node, "", name,
                     "http is for a loopback host, or for a listener with insecure: true",
                     "must begin with https://");
    public_addr_canonical(settings, &uri, context);
}

static size_t workers_online(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

    if (count < 1)
        return 1;
    return count > SETTINGS_WORKERS_MAX ? SETTINGS_WORKERS_MAX : (size_t)count;
}

static size_t workers_count(struct slice text)
{
    uint64_t number;

    return scalar_integer(text, &number) ? (size_t)number : workers_online();
}

static void user_read(struct slice name, const struct yaml_node *node, const char *path,
                      struct schema_context *context, struct settings_user *out)
{
    char text[USER_NAME_MAX];
    char memory[USER_ENTRY_MAX];
    struct passwd entry;
    struct passwd *found = NULL;

    if (name.size == 0)
        return;
    snprintf(text, sizeof(text), "%.*s", (int)name.size, name.data);
    if (name.size < sizeof(text))
        getpwnam_r(text, &entry, memory, sizeof(memory), &found);
    if (found == NULL) {
        schema_error(context, node, "", path, "make it with useradd --system",
                     "there is no user \"%s\" on this machine", text);
        return;
    }
    if (found->pw_uid == 0 || found->pw_gid == 0) {
        schema_error(context, node, "", path, "a system user without a shell is right",
                     "the service must not run as root");
        return;
    }
    *out = (struct settings_user){.name = name, .uid = found->pw_uid, .gid = found->pw_gid};
}

/* As such it could read sessions and signal workers: a stdio server is a stranger's program. */
static bool user_is_of_service(const struct settings *settings, const struct settings_user *user)
{
    return (settings->watcher_user.name.size > 0 && settings->watcher_user.uid == user->uid) ||
           (settings->worker_user.name.size > 0 && settings->worker_user.uid == user->uid) ||
           (settings->bridge_user.name.size > 0 && settings->bridge_user.uid == user->uid);
}

static void stdio_users_read(struct settings_form *form, struct schema_context *context)
{
    const struct yaml_node *node = form->stdio_users;
    struct settings *settings = &form->settings;

    if (node != NULL && node->kind == YAML_LIST)
        node = node->first;
    for (; node != NULL && settings->stdio_user_count < SETTINGS_STDIO_USERS_MAX;
         node = node == form->stdio_users ? NULL : node->next) {
        struct settings_user user = {0};

        user_read(node->text, node, "gate.stdio.users", context, &user);
        if (user.name.size > 0 && user_is_of_service(settings, &user))
            schema_error(context, node, "", "gate.stdio.users", "give stdio servers their own",
                         "\"%.*s\" is one of gate.users", (int)user.name.size, user.name.data);
        else if (user.name.size > 0)
            settings->stdio_users[settings->stdio_user_count++] = user;
    }
}

static void users_read(struct settings_form *form, const struct yaml_node *root,
                       struct schema_context *context)
{
    static const char watcher[] = "gate.users.watcher", worker[] = "gate.users.worker",
                      bridge[] = "gate.users.bridge";
    struct settings *settings = &form->settings;

    user_read(form->watcher_user, yaml_find(root, watcher), watcher, context,
              &settings->watcher_user);
    user_read(form->worker_user, yaml_find(root, worker), worker, context, &settings->worker_user);
    settings->bridge_user = settings->worker_user;
    user_read(form->bridge_user, yaml_find(root, bridge), bridge, context, &settings->bridge_user);
    stdio_users_read(form, context);
    if (form->worker_user.size > 0 && slice_equal(form->worker_user, form->watcher_user))
        diagnostics_add(context->diagnostics, DIAGNOSTIC_WARNING, yaml_find(root, worker)->place,
                        worker, "give the watcher a user of its own",
                        "a worker that is taken over can then write the configuration");
}

static void apps_read(struct settings_form *form, const struct yaml_node *root,
                      struct document_list *apps, struct schema_context *context)
{
    const struct yaml_node *debug = yaml_find(root, "app_service.debug_app");
    size_t index = 0;

    for (const struct yaml_node *node = form->apps == NULL ? NULL : form->apps->first; node != NULL;
         node = node->next) {
        struct document document;
        char prefix[PREFIX_MAX];

        snprintf(prefix, sizeof(prefix), "app_service.apps[%zu]", index++);
        app_document_read_entry(node, prefix, context, &document);
        if (form->settings.app_service && !document_list_add(apps, &document))
            schema_error(context, node, prefix, "", NULL, "too many apps, or out of memory");
    }
    if (form->settings.app_service && form->settings.debug_app) {
        struct document document;

        app_document_make_debug(debug->place, form->settings.public_host, context, &document);
        if (!document_list_add(apps, &document))
            schema_error(context, debug, "", "app_service.debug_app", NULL, "out of memory");
    }
}

static void limits_check(const struct settings *settings, const struct yaml_node *root,
                         struct schema_context *context)
{
    const char *name = "gate.limits.body_memory";
    const struct yaml_node *node = yaml_find(root, name);

    if (node == NULL)
        node = yaml_find(root, "gate.limits.body_size");
    if (node != NULL && settings->limits.body_size > settings->limits.body_memory)
        schema_error(context, node, "", name, "make it several times as large",
                     "must not be smaller than gate.limits.body_size");
}

/* The rest of what no single value shows, once the tables were walked. */
static void settings_finish(struct settings_form *form, const struct yaml_node *root,
                            bool resolve_users, struct document_list *apps,
                            struct schema_context *context)
{
    struct settings *settings = &form->settings;
    bool any_insecure;

    listeners_read(form, root, context, &any_insecure);
    public_addr_read(settings, root, any_insecure, context);
    settings->allowed_origin_count =
        yaml_strings(form->allowed_origins, settings->allowed_origins, SETTINGS_NAMES_MAX);
    settings->allowed_host_count =
        yaml_strings(form->allowed_hosts, settings->allowed_hosts, SETTINGS_NAMES_MAX);
    settings->workers = workers_count(form->workers);
    if (resolve_users)
        users_read(form, root, context);
    if (!slice_is(settings->log_output, "stderr"))
        settings->log_output = schema_absolute(context, settings->log_output);
    settings->audit.refuse = form->audit_failure == 1;
    if (settings->audit.output.size > 0 && !slice_is(settings->audit.output, "stderr"))
        settings->audit.output = schema_absolute(context, settings->audit.output);
    limits_check(settings, root, context);
    apps_read(form, root, apps, context);
}

bool settings_document_read(struct slice text, struct slice path, bool resolve_users,
                            struct settings *settings, struct document_list *apps,
                            struct diagnostics *diagnostics)
{
    struct slice file = arena_copy(&apps->arena, path);
    struct schema_context context = {
        .arena = &apps->arena, .diagnostics = diagnostics, .directory = schema_directory(file)};
    struct settings_form form = {0};
    size_t before = diagnostics->errors;
    const struct yaml_node *root = yaml_read(text, file, &apps->arena, diagnostics);

    *settings = (struct settings){0};
    if (root == NULL) {
        if (diagnostics->errors == before)
            diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, (struct place){.file = file}, NULL,
                            "gatehouse.yaml holds version, kind, gate and app_service",
                            "the file is empty");
        return false;
    }
    if (root->next != NULL)
        schema_error(&context, root->next, "", "", "other documents go into gate.resources_dir",
                     "the settings are one document");
    schema_read(&settings_schema, root, "", &context, &form);
    if (root->kind == YAML_MAPPING)
        settings_finish(&form, root, resolve_users, apps, &context);
    form.settings.path = file;
    settings->resources_dir = form.settings.resources_dir;
    if (diagnostics->errors != before)
        return false;
    *settings = form.settings;
    return true;
}
