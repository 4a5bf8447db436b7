# complete.zsh SCRIPT LINE: what an interactive zsh that has read SCRIPT offers
# behind LINE, a word a line. It asks a shell of its own, at a pseudo-terminal.
zmodload zsh/zpty || exit 1
zpty shell zsh -f -i
ask() { zpty -w shell $1; }
ask 'PS1=; unsetopt beep; autoload -Uz compinit && compinit -D -u'
ask "source ${(q)1}"
# Words are printed as they are added, between two marks.
ask 'compadd() {
  local -a found
  builtin compadd -O found "$@"
  print -l -- $found
  builtin compadd "$@"
}'
ask 'before() { print BEGIN; }; after() { print; print END; exit; }'
ask 'zle -C ask complete-word _generic; bindkey "^I" complete-word'
ask 'compprefuncs=(before); comppostfuncs=(after); print READY'
zpty -r shell text $'*\nREADY*'
zpty -w -n shell "$2"$'\t'
zpty -r shell text $'*END*'
print -r -- ${${text#*BEGIN}%END*}
