# complete.bash SCRIPT LINE: what bash that has read SCRIPT offers behind LINE, a
# word a line, as readline would put it behind the last colon.
source "$1"
COMP_LINE=$2 COMP_POINT=${#2}
COMP_WORDBREAKS=$' \t\n:'
_boo
printf '%s\n' "${COMPREPLY[@]}"
