# SPDX-License-Identifier: GPL-2.0
# The kinds of mutants: what may be done to a statement; Operators.pm is about
# expressions.  A mutant is a list of replacements in the source ("edits", for a
# patch) and a list of insertions that do the same only when its number is chosen
# ("inserts", for a kernel that carries all of them).  An insertion evaluates what
# it is about once and asks for its number where the result would differ: so the
# kernel can tell which tests come to a place where they might notice.
package Kinds;
use strict;
use warnings;
use parent -norequire, 'Operators';
use Operators;
use Source;

my $MACRO_THAT_ACTS = qr/^(?:(?:WRITE|READ)_ONCE|(?:Set|Clear|__Set|__Clear)Page\w+|INIT_\w+)$/;
my $WIDE = qr/\b(?:u64|s64|__u64|size_t|ssize_t|loff_t|dma_addr_t|phys_addr_t|resource_size_t|(?:unsigned\s+)?long)\s*$/;

# new(SOURCE, WANTED) -- WANTED: lines that count, as a hash, or undef for all.
sub new {
	my ($class, $source, $wanted) = @_;
	return bless { source => $source, wanted => $wanted, mutants => [] }, $class;
}

# all() -- the mutants of all functions, in the order of the source.
sub all {
	my ($self) = @_;
	for my $function (@{ $self->{source}{functions} }) {
		$self->{function} = $function;
		$self->{pointer} = $self->{source}->pointers($function);
		$self->parameters;
		$self->statement($function->{body});
	}
	my @mutants = @{ $self->{mutants} };
	return map { $mutants[$_] }
		sort { $mutants[$a]{at} <=> $mutants[$b]{at} || $a <=> $b } 0 .. $#mutants;
}

# counts(FROM, TO) -- the first token of these that lies on a line that counts.
sub counts {
	my ($self, $from, $to) = @_;
	return $from unless $self->{wanted};
	for my $i ($from .. $to) {
		return $i if $self->{wanted}{ $self->{source}->line($i) };
	}
	return undef;
}

# add(KIND, FROM, TO, WHAT, EDITS, INSERTS) -- if a token FROM..TO counts.  Edits
# are [from, to, text]; inserts are [from, to, before, behind], tokens all.  A @ in
# an insert asks whether this mutant is the chosen one.
sub add {
	my ($self, $kind, $from, $to, $what, $edits, $inserts) = @_;
	my $source = $self->{source};
	my $at = $self->counts($from, $to) // return;
	push @{ $self->{mutants} }, {
		kind => $kind, function => $self->{function}{name}, line => $source->line($at), at => $source->begin($at),
		first => $source->line((sort { $a <=> $b } map { $_->[0] } @$inserts)[0]),
		last => $source->line((sort { $b <=> $a } map { $_->[1] } @$inserts)[0]), what => $what,
		edits => [map { my $begin = $source->begin($_->[0]);
			[$begin, $_->[1] < $_->[0] ? $begin : $source->end($_->[1]), $_->[2]] } @$edits],
		inserts => [map { [$source->begin($_->[0]), $source->end($_->[1]), @$_[2, 3]] } @$inserts],
	};
}

sub words { my ($self, $node) = @_; return $self->{source}->words(@$node{qw(from to)}) }

# -- statements ----------------------------------------------------------------------

sub statement {
	my ($self, $node) = @_;
	my $type = $node->{type};
	$self->condition($node) if $node->{condition};
	$self->returned($node) if $type eq 'return';
	$self->dropped_jump($node) if $type eq 'jump';
	$self->dropped_statement($node) if $type eq 'expression';
	$self->expression($node->{value}) if $node->{value};
	for my $value (@{ $node->{values} // [] }) {
		$self->narrowed(@$value);
		$self->expression($value->[2]);
	}
	$self->order($node->{kids}) if $type eq 'block';
	$self->statement($_) for @{ $node->{kids} // [] };
}

sub condition {
	my ($self, $node) = @_;
	my $inner = $node->{condition};
	my ($from, $to) = @$inner{qw(from to)};
	my $words = $self->words($inner);
	if ($node->{type} ne 'switch' && $words ne '1' && $words ne 'true') {
		if ($node->{type} eq 'if') {
			$self->add('negate', $from, $to, "if ($words) the other way round",
				[[$from, $to, "!($words)"]], [[$from, $to, '(!!(', ')) != @']]);
			$self->add('always', $from, $to, "if ($words) always",
				[[$from, $to, "($words) || 1"]], [[$from, $to, '(', ') || @']]);
		}
		$self->add('never', $from, $to, ($node->{type} eq 'if' ? 'if' : 'while') . " ($words) never",
			[[$from, $to, "($words) && 0"]], [[$from, $to, '(', ') && !@']]);
	}
	$self->expression($inner, 1);
}

sub returned {
	my ($self, $node) = @_;
	my ($value, $type) = ($node->{value}, $self->{function}{returns});
	$self->{returned} = $value;
	return unless $value;
	my ($from, $to) = @$value{qw(from to)};
	my $words = $self->words($value);
	if ($type =~ /\bbool$/) {
		$self->add('return', $from, $to, "return the contrary of $words",
			[[$from, $to, "!($words)"]], [[$from, $to, '(!!(', ')) != @']]);
	} elsif ($words ne '0' && $words ne 'NULL' && $type !~ /\bvoid$/) {
		$self->add('return', $from, $to, "return 0 instead of $words", [[$from, $to, '0']], [[$from, $to, '@ ? 0 : (', ')']]);
	} elsif ($words eq '0' && $type =~ /^(?:int|long|ssize_t)$/) {
		$self->add('return', $from, $to, 'return an error instead of 0', [[$from, $to, '-5']], [[$from, $to, '@ ? -5 : ', '']]);
	}
}

# The insert may not catch an "else" that belongs to an "if" around it.
my @SKIP = ('if (@) ; else ', '');

sub dropped_jump {
	my ($self, $node) = @_;
	my ($from, $to) = @$node{qw(from to)};
	$self->add('jump', $from, $to, 'no "' . $self->{source}->words($from, $to - 1) . '"', [[$from, $to, ';']], [[$from, $to, @SKIP]]);
}

# acts(NAME) -- whether a call does anything that a test could miss.
sub acts {
	my ($name) = @_;
	return 0 if $name =~ $Operators::TALKS || $name =~ $Expression::NOT_RUN;
	return $name !~ /^[A-Z0-9_]+$/ || $name =~ $MACRO_THAT_ACTS;
}

sub dropped_statement {
	my ($self, $node) = @_;
	my $value = $node->{value};
	my ($from, $to) = @$node{qw(from to)};
	my $words = $self->words($value);
	my $kind = $value->{type} eq 'call' ? (acts($value->{name}) ? 'call' : undef) :
		$value->{type} eq 'assign' ? 'assign' :
		$value->{type} eq 'step' || $value->{type} eq 'unary' && $value->{op} =~ /^(?:\+\+|--)$/ ? 'assign' : undef;
	return unless $kind;
	$self->add($kind, $from, $to, "without $words", [[$from, $to, ';']], [[$from, $to, @SKIP]]);
}

# touched(FROM, TO) -- the names in it that are neither functions nor flags.
sub touched {
	my ($self, $from, $to) = @_;
	my $source = $self->{source};
	return { map { $source->text($_) => 1 }
		grep { $source->kind($_) eq 'id' && $source->text($_ + 1) ne '(' && $source->text($_) !~ $Operators::FLAG } $from .. $to };
}

# written(NODE) -- names that the statement assigns or takes the address of.
sub written {
	my ($self, $node) = @_;
	my $source = $self->{source};
	my %names;
	for my $i ($node->{from} .. $node->{to}) {
		next unless $source->kind($i) eq 'id';
		my ($before, $behind) = ($i ? $source->text($i - 1) : '', $source->text($i + 1));
		$names{ $source->text($i) } = 1
			if $behind =~ /^(?:[-+*\/%&|^]?=|<<=|>>=|\+\+|--)$/ || $before =~ /^(?:&|\+\+|--)$/;
	}
	return \%names;
}

# leaves(NODE) -- an "if" whose only purpose is to go elsewhere.
sub leaves {
	my ($node) = @_;
	return 0 unless $node->{type} eq 'if' && @{ $node->{kids} } == 1;
	my ($last) = $node->{kids}[0]{type} eq 'block' ? $node->{kids}[0]{kids}[-1] // return 0 : $node->{kids}[0];
	return $last->{type} =~ /^(?:return|jump)$/;
}

# order(STATEMENTS) -- one check or call before what precedes it.
sub order {
	my ($self, $statements) = @_;
	for my $i (1 .. $#$statements) {
		my ($first, $second) = @$statements[$i - 1, $i];
		next unless $first->{type} =~ /^(?:if|expression)$/;
		my $simple = $second->{type} eq 'expression' && $second->{value}{type} =~ /^(?:call|assign)$/;
		$simple = 0 if $simple && $second->{value}{type} eq 'call' && !acts($second->{value}{name});
		next unless $simple || leaves($second);
		# A check of what the statement before it found out cannot come first.
		my ($written, $names) = ($self->written($first), $self->touched($second->{from}, $second->{to}));
		next if grep { $written->{$_} } keys %$names;
		if ($simple && $first->{type} eq 'expression') {
			my $read = $self->touched($first->{from}, $first->{to});
			my $changes = $self->written($second);
			my $both = $first->{value}{type} eq 'call' && $second->{value}{type} eq 'call';
			next unless $both || grep { $read->{$_} } keys %$changes;
		}
		my ($from, $to) = @$second{qw(from to)};
		my $words = $self->{source}->words($from, $to);
		next if $words =~ /\@/;
		my $before = $self->{source}->words(@$first{qw(from to)});
		s/^(.{50}).{4,}$/$1.../s for (my $short = $words), (my $behind = $before);
		my @inserts = ([$first->{from}, $first->{to}, "if (@) { $words } ", '']);
		push @inserts, [$from, $to, @SKIP] if $simple;
		$self->add('order', $from, $to, "$short before $behind",
			[[$first->{from}, $first->{from} - 1, "$words "], $simple ? [$from, $to, ';'] : ()], \@inserts);
	}
}

# -- widths --------------------------------------------------------------------------

sub parameters {
	my ($self) = @_;
	my $brace = $self->{function}{body}{from};
	for my $parameter (@{ $self->{function}{parameters} }) {
		my ($name, $type) = @$parameter;
		next unless $type =~ $WIDE;
		my $word = $self->{source}->text($name);
		$self->add('width', $name, $name, "$word as an int",
			[[$brace, $brace, "{ $word = (int)$word;"]], [[$brace, $brace, '', " if (@) $word = (int)$word;"]]);
	}
}

sub narrowed {
	my ($self, $name, $type, $value) = @_;
	return unless $type =~ $WIDE;
	my ($from, $to) = @$value{qw(from to)};
	my $word = $self->{source}->text($name);
	$self->add('width', $from, $to, "$word as an unsigned int",
		[[$from, $to, '(unsigned int)(' . $self->words($value) . ')']], [[$from, $to, '(', ') & (@ ? 0xffffffffUL : ~0UL)']]);
}

1;
