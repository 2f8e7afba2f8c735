# SPDX-License-Identifier: GPL-2.0
# The tokens of a C file, with the brackets that match.
package Tokens;
use strict;
use warnings;

my %TYPE_WORD = map { $_ => 1 } qw(const static struct union enum unsigned signed long int short
	char void bool _Bool typeof __typeof__ volatile register auto float double extern __auto_type);
my %PAIR = ('(' => ')', '[' => ']', '{' => '}');

# new(TEXT) -- tokens are [text, kind, position, line]; kinds: id num str chr op.
sub new {
	my ($class, $text) = @_;
	my $self = bless { text => $text, tokens => [], functions => [] }, $class;
	$self->tokenise;
	$self->match_brackets;
	return $self;
}

sub tokenise {
	my ($self) = @_;
	my ($line, $start, $tokens) = (1, 1, $self->{tokens});
	for ($self->{text}) {
		pos = 0;
		while (pos() < length) {
			my $at = pos;
			if (/\G\n/gc) { $line++; $start = 1; next }
			if (/\G(?:[ \t\r\f\x0b]|\\\n)+/gc) { $line += substr($_, $at, pos() - $at) =~ tr/\n//; next }
			if (m{\G//[^\n]*}gc) { next }
			if (m{\G/\*}gc) {
				my $end = index($_, '*/', pos);
				pos = $end < 0 ? length : $end + 2;
				$line += substr($_, $at, pos() - $at) =~ tr/\n//;
				next;
			}
			# A directive with the lines that continue it.
			if ($start && /\G#[^\n]*/gc) {
				while (substr($_, pos() - 1, 1) eq '\\' && /\G\n[^\n]*/gc) { $line++ }
				next;
			}
			$start = 0;
			my $kind;
			if (/\G[A-Za-z_]\w*/gc) { $kind = 'id' }
			elsif (/\G\.?[0-9](?:[eEpP][+-]|[\w.])*/gc) { $kind = 'num' }
			elsif (/\G"(?:[^"\\\n]|\\.)*"/gcs) { $kind = 'str' }
			elsif (/\G'(?:[^'\\\n]|\\.)*'/gcs) { $kind = 'chr' }
			elsif (/\G(?:<<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*\/%&|^]=|.)/gcs) { $kind = 'op' }
			push @$tokens, [substr($_, $at, pos() - $at), $kind, $at, $line];
			$line += substr($_, $at, pos() - $at) =~ tr/\n//;
		}
	}
}

sub match_brackets {
	my ($self) = @_;
	my @open;
	for my $i (0 .. $#{ $self->{tokens} }) {
		my $text = $self->{tokens}[$i][0];
		next unless $self->{tokens}[$i][1] eq 'op';
		if ($PAIR{$text}) { push @open, $i }
		elsif (@open && $text eq $PAIR{ $self->{tokens}[ $open[-1] ][0] }) {
			my $begin = pop @open;
			$self->{match}{$begin} = $i;
			$self->{match}{$i} = $begin;
		}
	}
}

sub text { my ($self, $i) = @_; return $i < @{ $self->{tokens} } ? $self->{tokens}[$i][0] : '' }
sub kind { my ($self, $i) = @_; return $i < @{ $self->{tokens} } ? $self->{tokens}[$i][1] : '' }
sub line { my ($self, $i) = @_; return $self->{tokens}[$i][3] }
sub begin { my ($self, $i) = @_; return $self->{tokens}[$i][2] }
sub end { my ($self, $i) = @_; return $self->{tokens}[$i][2] + length $self->{tokens}[$i][0] }
sub match { my ($self, $i) = @_; return $self->{match}{$i} // die "no bracket matches\n" }

# words(FROM, TO) -- the tokens as one line, without comments.
sub words {
	my ($self, $from, $to) = @_;
	my ($text, $last) = ('', undef);
	for my $i ($from .. $to) {
		$text .= ' ' if defined $last && $self->begin($i) > $last;
		$text .= $self->text($i);
		$last = $self->end($i);
	}
	return $text;
}

sub is_type_word {
	my ($self, $i) = @_;
	return 0 if $self->kind($i) ne 'id';
	# min_t(...) is no type.
	return $TYPE_WORD{ $self->text($i) } ||
		$self->text($i) =~ /^(?:_*[us](?:8|16|32|64)|__[bl]e\d+|\w+_t)$/ && $self->text($i + 1) ne '(';
}

# split_at_commas(OPEN) -- spans [from, to] of what lies between the brackets.
sub split_at_commas {
	my ($self, $open) = @_;
	my ($close, $from, @spans) = ($self->match($open), $open + 1);
	return () if $close == $open + 1;
	for (my $i = $open + 1; $i <= $close; $i++) {
		if ($i == $close || $self->text($i) eq ',') {
			push @spans, [$from, $i - 1];
			$from = $i + 1;
		} elsif ($i < $close && $self->text($i) =~ /^[(\[{]$/ && defined $self->{match}{$i}) {
			$i = $self->{match}{$i};
		}
	}
	return @spans;
}

# to_semicolon(I) -- the token of the ";" that ends what begins here.
sub to_semicolon {
	my ($self, $i) = @_;
	while ($i < @{ $self->{tokens} }) {
		return $i if $self->text($i) eq ';';
		die "no end of a statement\n" if $self->text($i) eq '}';
		$i = $self->match($i) if $self->text($i) =~ /^[(\[{]$/;
		$i++;
	}
	die "no end of a statement\n";
}

1;
