#include "tools/picctl/missing.h"

#include <stddef.h>
#include <string.h>

#include "schema/base/mem.h"

#define EDIT_FILE "change the file, picd sees it; `picctl describe KIND/NAME` names it"
#define NO_CONTAINERS "this version runs no containers"
#define NO_LINKS "a Link is a manifest of its own: write it and `picctl apply -f FILE`"
#define NO_AUTHORITY "this version has no certificate authority"
#define NO_CHECKPOINTS                                                                             \
    "this version keeps no checkpoints; `picctl diff -f FILE` shows a change beforehand"
#define NO_CLUSTER "a cell is one machine"

static const struct {
    const char *word, *instead;
} rows[] = {
    {"add", "`picctl peer add NAME` adds a device, `picctl apply -f FILE` anything"},
    {"annotate", EDIT_FILE},
    {"api-versions", "there is one, pic/v1; `picctl api-resources` lists the kinds"},
    {"approve", NO_CONTAINERS},
    {"attach", NO_CONTAINERS},
    {"auth", "there are no roles: root may change a cell, and whoever may write its manifests"},
    {"autoscale", NO_CLUSTER},
    {"backup", "the directories of the manifests and of the secrets are the cell: copy both"},
    {"bundle", "`picctl status` and `picctl get all -o yaml` say what there is to send"},
    {"cert", NO_AUTHORITY},
    {"certificate", NO_AUTHORITY},
    {"check", "`picctl validate` checks manifests, `picctl diff` the live system"},
    {"cluster-info", "`picctl status` shows the cell on one screen"},
    {"completion", "this version has no completions for shells"},
    {"config", "`picctl peer config NAME` prints the config of a device"},
    {"confirm", NO_CHECKPOINTS},
    {"cordon", NO_CLUSTER},
    {"cp", NO_CONTAINERS},
    {"create", "`picctl init` makes a cell, `picctl peer add NAME` a device, `picctl apply -f "
               "FILE` anything"},
    {"debug", "`picctl status` and `picctl describe KIND/NAME` say what is wrong"},
    {"down", "`picctl teardown` takes everything live away"},
    {"drain", NO_CLUSTER},
    {"edit", EDIT_FILE},
    {"events", "`picctl status` shows recent drift; `journalctl -u picd` has the rest"},
    {"exec", NO_CONTAINERS},
    {"explain",
     "`picctl get KIND/NAME -o yaml` shows the fields in use; `picctl validate` checks others"},
    {"export", "`picctl get all -o yaml` prints all resources as manifests"},
    {"expose", NO_CONTAINERS},
    {"genkey", "`picctl peer add NAME` makes the keys"},
    {"import", "`picctl apply -f FILE`"},
    {"invite", NO_LINKS},
    {"key", "this version cannot rotate a cell's key; `picctl peer rekey NAME` rotates a device's"},
    {"kustomize", "manifests are applied as they stand: `picctl apply -f FILE`"},
    {"label", EDIT_FILE},
    {"link", NO_LINKS},
    {"list", "`picctl get KIND`, or `picctl get all`"},
    {"logs", "`journalctl -u picd` has what picd says"},
    {"ls", "`picctl get KIND`, or `picctl get all`"},
    {"options", "`picctl help`"},
    {"patch", EDIT_FILE},
    {"plan", "`picctl diff`"},
    {"plugin", "picctl has no plugins"},
    {"port-forward", NO_CONTAINERS},
    {"proxy", "picd answers HTTP on the addresses of api.listen itself"},
    {"remove", "`picctl delete KIND/NAME`"},
    {"replace", "`picctl apply -f FILE` replaces whole documents"},
    {"restart", "`systemctl restart picd`: it leaves everything live"},
    {"restore", "put manifests and secrets back where they were and start picd"},
    {"resume", "remove `suspend: true` from the resource's spec"},
    {"rm", "`picctl delete KIND/NAME`"},
    {"rollback", NO_CHECKPOINTS},
    {"rollout", NO_CLUSTER},
    {"run", NO_CONTAINERS},
    {"scale", NO_CLUSTER},
    {"schema", "this version prints no JSON Schema"},
    {"secret", "put the file into the secrets directory with mode 0600"},
    {"set", "`picctl peer set NAME …`, or " EDIT_FILE},
    {"setconf", "`picctl apply -f FILE`"},
    {"show", "`picctl get KIND/NAME`, or `picctl describe KIND/NAME`"},
    {"showconf", "`picctl peer config NAME`"},
    {"suspend", "write `suspend: true` into the resource's spec"},
    {"sync", "`picctl resync`"},
    {"syncconf", "`picctl apply -f FILE`"},
    {"taint", NO_CLUSTER},
    {"top", "`picctl get peers -o wide` shows what went through each tunnel"},
    {"uncordon", NO_CLUSTER},
    {"up", "start picd: it brings everything up"},
    {"wait", "`picctl apply -f FILE --wait` waits until what it wrote is ready"},
};

const char *missing_verb(const char *word)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (strcmp(rows[i].word, word) == 0)
            return rows[i].instead;
    return NULL;
}
