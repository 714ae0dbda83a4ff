/* What Debian's cron does: its own parser (entry.c), its own matching and main loop (cut out of cron.c by build.sh), and a
 * clock that is turned by hand.
 *
 * In:  "W <from> <until> <zone>", then "E <expression>" for each, then "."      Times are seconds since 1970.
 * Out: for each expression "refused", or "ok" and the moments in [from, until) at which its job is started.
 */
#define MAIN_PROGRAM
#include "cron.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static time_t now;
#define time(unused) (now)
#define sleep(unused)
#define check_orphans(unused)
#define load_database(unused)
long get_gmtoff(time_t *clock, struct tm *local) { return local->tm_gmtoff; }

/* What entry.c needs of the rest of cron. */
static char *nothing[] = {NULL};
char **env_copy(char **envp) { return nothing; }
void env_free(char **envp) {}
char *env_get(char *name, char **envp) { return "set"; }
char **env_set(char **envp, char *text) { return nothing; }
void log_it(char *user, int pid, char *event, char *detail) {}
int get_char(FILE *file) { return getc(file); }
void unget_char(int ch, FILE *file) { ungetc(ch, file); }
int get_string(char *string, int size, FILE *file, char *terms) {
	int ch;
	while ((ch = get_char(file)) != EOF && !strchr(terms, ch))
		if (size > 1) { *string++ = ch; size--; }
	if (size > 0) *string = '\0';
	return ch;
}
void skip_comments(FILE *file) {
	int ch = get_char(file);
	while (ch == ' ' || ch == '\t') ch = get_char(file);
	if (ch != EOF) unget_char(ch, file);
}
#include "entry.inc"

#define MOST 4096
static struct { entry *parsed; char *text; size_t length; FILE *out; long last; } cases[MOST];
static int count;
static long from, until;

/* The queue: what is on it when the loop empties it is started at that moment. */
static entry *queue[MOST];
static int queued;
void job_add(entry *e, user *u) {
	int i;
	for (i = 0; i < queued; i++) if (queue[i] == e) return;
	queue[queued++] = e;
}
int job_runqueue(void) {
	int i, ran = queued;
	for (i = 0; i < queued; i++) {
		int place = atoi(queue[i]->cmd);
		if (now >= from && now < until && cases[place].last != now)
			fprintf(cases[place].out, " %ld", (long)now);
		cases[place].last = now;
	}
	queued = 0;
	return ran;
}

static cron_db database;
#include "loop.inc"

static void add(char *expression) {
	static struct passwd person = {.pw_name = "nobody", .pw_dir = "/"};
	char line[8192], place[16];
	FILE *file;
	sprintf(place, "%d", count);
	snprintf(line, sizeof line, "%s %s\n", expression, place);
	file = fmemopen(line, strlen(line), "r");
	entry *parsed = load_entry(file, NULL, &person, nothing);
	fclose(file);
	/* A sixth word would be the command. */
	if (parsed && strcmp(parsed->cmd, place)) parsed = NULL;
	cases[count].parsed = parsed;
	cases[count].last = -1;
	cases[count].out = open_memstream(&cases[count].text, &cases[count].length);
	count++;
}

static void answer(void) {
	static user person;
	int i;
	database.head = &person;
	person.crontab = NULL;
	for (i = count; i-- > 0;)
		if (cases[i].parsed) { cases[i].parsed->next = person.crontab; person.crontab = cases[i].parsed; }
	/* It has been running for a day. */
	run(from - 86400 - from % 60, until);
	for (i = 0; i < count; i++) {
		fclose(cases[i].out);
		printf(cases[i].parsed ? "ok%s\n" : "refused\n", cases[i].text);
		free(cases[i].text);
		if (cases[i].parsed) { free(cases[i].parsed->cmd); free(cases[i].parsed); }
	}
	count = 0;
}

int main(void) {
	char line[8192], zone[256];
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == 'W' && sscanf(line, "W %ld %ld %255s", &from, &until, zone) == 3) {
			setenv("TZ", zone, 1);
			tzset();
		} else if (line[0] == 'E' && count < MOST) add(line + 2);
		else if (line[0] == '.') answer();
		else return 1;
	}
	return 0;
}
