# SPDX-License-Identifier: MIT
# The work of amalgamate.sh, for one of the two files:
#   awk -v root=DIR -v what=h|c -f amalgamate.awk HEADERS "--" SOURCES   (paths below root)
# A project header is put where it is included first; one that is included under a condition is put there each time, and its
# guard does the rest. What a source defines for itself (static functions and variables, types, enum constants) gets that file's
# name in front where the same word stands in another file, too; the macros of a source are undefined behind it.

function fail(text) {
  print "amalgamate: " text > "/dev/stderr"
  failed = 1
  exit 1
}

# ---- words ----

# Splits a line into word[1..words], of kind[]: i(dentifier), s(tring), c(omment), space or p(unctuation, numbers too).
function add(length_of, its_kind) {
  word[++words] = substr(rest, 1, length_of)
  kind[words] = its_kind
  rest = substr(rest, length_of + 1)
}
function lex(line,   end) {
  words = 0
  rest = line
  while (rest != "") {
    if (in_comment) {
      end = index(rest, "*/")
      if (end) in_comment = 0
      add(end ? end + 1 : length(rest), "c")
    } else if (substr(rest, 1, 2) == "/*") {
      in_comment = 1
      add(2, "c")
    } else if (substr(rest, 1, 2) == "//") add(length(rest), "c")
    else if (match(rest, /^[ \t]+/)) add(RLENGTH, " ")
    else if (match(rest, /^[A-Za-z_][A-Za-z_0-9]*/)) add(RLENGTH, "i")
    else if (match(rest, /^[0-9][A-Za-z_0-9.]*/)) add(RLENGTH, "p")
    else if (match(rest, /^"([^"\\]|\\.)*"/)) add(RLENGTH, "s")
    else if (match(rest, /^'([^'\\]|\\.)*'/)) add(RLENGTH, "s")
    else add(substr(rest, 1, 2) == "->" ? 2 : 1, "p")
  }
}

# ---- what a file defines ----

# uvf_ and UVF are the names of all of the library: each is there once, as the linker knows.
function define(name) {
  found = 1
  if (name !~ /^(uvf_|UVF)/) defines[file, name] = 1
}

# What the parts of a declaration define; the contents of braces are left out, and stand as "{}".
function declared(   i) {
  found = 0
  names_of_declaration()
  for (i = 1; i <= parts && !found; i++)
    if (part[i] == "static") fail(file ": what is the name in this declaration? ... " part[i + 1] " " part[i + 2] " " part[i + 3])
}
function names_of_declaration(   i, depth, value, next_one, is_static) {
  for (i = 1; i <= parts; i++) if (part[i] == "static") is_static = 1
  part[parts + 1] = ";"
  for (i = 1; i <= parts; i++) {
    next_one = part[i + 1]
    if (part[i] ~ /^[(\[]$/) {
      # (*name): a pointer to a function
      if (!depth && !value && next_one == "*" && (is_static || part[1] == "typedef")) { define(part[i + 2]); return }
      depth++
    } else if (part[i] ~ /^[)\]]$/) depth--
    else if (depth) continue
    else if (part[i] == "=") value = 1
    else if (part[i] == ",") value = 0
    else if (value || part[i] !~ /^[A-Za-z_]/) continue
    else if (part[1] == "typedef") { if (next_one ~ /^[;,\[]$/) define(part[i]) }
    else if (!is_static) continue
    else if (next_one ~ /^[;,=\[]$/) define(part[i])
    # A macro with arguments, as A_PTR(x) or _Alignas(64), is no function; nor is what stands before (*name).
    else if (next_one == "(" && part[i + 2] != "*" && part[i] !~ /^(_|[A-Z0-9_]+$)/) { define(part[i]); return }
  }
}

function declaration_word(text, its_kind) {
  if (text == "{") {
    if (braces++ > 0) return
    is_function = part[parts] == ")"
    is_enum = part[parts] == "enum" || part[parts - 1] == "enum"
    if (parts > 1 && part[parts - 1] ~ /^(struct|union|enum)$/) define(part[parts])
    before = ","
  } else if (text == "}") {
    if (--braces > 0) return
    part[++parts] = "{}"
    if (is_function) parts = declared() + 0
    is_function = is_enum = 0
  } else if (braces) {
    if (is_enum && its_kind == "i" && before == ",") define(text)
    before = text
  } else if (text == ";") parts = declared() + 0
  else part[++parts] = text
}

# Notes which words stand in a file and, of a source, what it defines.
function scan(path,   line, i, in_macro) {
  file = path
  in_comment = braces = parts = is_function = is_enum = 0
  while ((getline line < (root "/" path)) > 0) {
    lex(line)
    for (i = 1; i <= words; i++)
      if (kind[i] == "i" && !((path, word[i]) in mentions)) {
        mentions[path, word[i]] = 1
        mentioned[word[i]]++
      }
    if (path ~ /\.h$/) continue
    if (in_macro || line ~ /^[ \t]*#/) {
      in_macro = line ~ /\\$/
      if (!match(line, /^[ \t]*#[ \t]*define[ \t]+[A-Za-z_0-9]+/)) continue
      line = substr(line, 1, RLENGTH)
      sub(/.*[ \t]/, "", line)
      if ((path, line) in is_macro) continue
      is_macro[path, line] = 1
      macros[path] = macros[path] " " line
    } else for (i = 1; i <= words; i++) if (kind[i] !~ /[c ]/) declaration_word(word[i], kind[i])
  }
  if (braces) fail(path ": its braces do not match, #if branches taken together")
  close(root "/" path)
}

# ---- putting it together ----

# The project's header that an #include line names, or "".
function included(line,   name) {
  name = line
  sub(/^[^"<]*["<]/, "", name)
  sub(/[">].*/, "", name)
  if ((("include/" name)) in exists) return "include/" name
  return ("src/" name) in exists && line ~ /"/ ? "src/" name : ""
}

# Is word i, in the body of a structure, the name of a member?
function is_member(i,   next_one) {
  if (!structure[level]) return 0
  for (next_one = i + 1; kind[next_one] ~ /[c ]/ && next_one < words;) next_one++
  return (next_one <= words && word[next_one] ~ /^[;,:\[]$/) || (last_word == "*" && word_before == "(")
}

# The line in word[] with the names of its file made unique. Members are no names of the file.
function renamed(path,   i, out, prefix) {
  prefix = path
  sub(/^src\//, "", prefix)
  sub(/\.c$/, "_", prefix)
  gsub(/[^A-Za-z0-9_]/, "_", prefix)
  for (i = 1; i <= words; i++) {
    if (kind[i] == "i" && mentioned[word[i]] > 1 && (path, word[i]) in defines && last_word !~ /^(\.|->)$/ && !is_member(i))
      out = out prefix word[i]
    else out = out word[i]
    if (kind[i] ~ /[c ]/) continue
    if (word[i] == "{") structure[++level] = last_word ~ /^(struct|union)$/ || word_before ~ /^(struct|union)$/
    else if (word[i] == "}") level--
    word_before = last_word
    last_word = word[i]
  }
  return out
}

# Prints a line, but never two empty ones.
function put(line) {
  if (line != "" || last_put != "") print line
  last_put = line
}

# place(FILE, CONDITIONAL): prints it with what it includes.
function place(path, conditional,   n, i, depth, guard, header, line, lines) {
  placing[path] = 1
  if (!conditional) placed[path] = 1
  if (!(path in text_lines)) {
    while ((getline line < (root "/" path)) > 0) text[path, ++n] = line
    close(root "/" path)
    text_lines[path] = n + 0
  }
  lines = text_lines[path]
  if (path ~ /\.c$/) {
    level = 0
    last_word = word_before = ""
  }
  put("")
  put("/* ---- " path " ---- */")
  put("")
  for (i = 1; i <= lines; i++) {
    if (i == 1 && text[path, i] ~ /SPDX/) continue
    lex(text[path, i])
    if (kind[1] != "c" && match(text[path, i], /^[ \t]*#[ \t]*(if|endif)/)) {
      depth += text[path, i] ~ /endif/ ? -1 : 1
      if (!guard && text[path, i] ~ /^#ifndef .*_H$/) guard = 1
    }
    if (kind[1] != "c" && text[path, i] ~ /^[ \t]*#[ \t]*include/) {
      header = included(text[path, i])
      if (header != "") {
        if (what == "c" && header ~ /^include/ && !(header in reachable)) fail(header " is not part of uvflow.h")
        if (header in placed) continue
        if (header in placing) continue # its guard would stop it, too
        in_comment = 0
        place(header, conditional || depth > guard)
        put("")
        put("/* ---- " path ", on ---- */")
        put("")
        continue
      }
      if (depth <= guard && !conditional) {
        if (text[path, i] in placed) continue
        placed[text[path, i]] = 1
      }
    }
    put(path ~ /\.c$/ ? renamed(path) : text[path, i])
  }
  if (path ~ /\.c$/) {
    n = split(macros[path], undefine, " ")
    if (n) put("")
    for (i = 1; i <= n; i++) put("#undef " undefine[i])
  } else if (!guard) fail(path " has no include guard")
  delete placing[path]
}

# Marks all headers that uvflow.h brings.
function reach(path,   n, i, list, line, header) {
  if (path in reachable) return
  reachable[path] = 1
  while ((getline line < (root "/" path)) > 0)
    if (line ~ /^[ \t]*#[ \t]*include/ && (header = included(line)) != "") list[++n] = header
  close(root "/" path)
  for (i = 1; i <= n; i++) reach(list[i])
}

BEGIN {
  for (i = 1; i < ARGC && ARGV[i] != "--"; i++) {
    exists[ARGV[i]] = 1
    header_of[++headers] = ARGV[i]
  }
  for (i++; i < ARGC; i++) source_of[++sources] = ARGV[i]
  reach("include/uvflow.h")

  print "/* SPDX-License-Identifier: MIT */"
  print "/* uvflow " version " in two files, made from its sources: change those, not this. Compile it with"
  print " *   cc -std=c11 -D_GNU_SOURCE -I. uvflow.c app.c -luv -pthread"
  print " * and with -fvisibility=hidden where only uvf_ names may be seen from outside."
  print " *"
  while ((getline line < (root "/LICENSE")) > 0) print " *" (line == "" ? "" : " ") line
  put(" */")
  if (what == "h") {
    place("include/uvflow.h", 0)
    for (i = 1; i <= headers; i++)
      if (header_of[i] ~ /^include/ && !(header_of[i] in reachable)) fail(header_of[i] " is not part of uvflow.h")
    exit
  }

  for (i = 1; i <= headers; i++) scan(header_of[i])
  for (i = 1; i <= sources; i++) scan(source_of[i])
  put("")
  put("#undef UVFLOW_WITHOUT_UV")
  put("#include \"uvflow.h\"")
  # In a header an inline function that nobody calls is no mistake; clang does not know that this was one.
  put("")
  put("#ifdef __clang__")
  put("#pragma clang diagnostic ignored \"-Wunused-function\"")
  put("#endif")
  for (name in reachable) placed[name] = 1
  for (i = 1; i <= sources; i++) place(source_of[i], 0)
  exit
}
END { exit failed }
