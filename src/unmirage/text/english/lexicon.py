"""Word classes of the rewriter: closed classes in full, open classes as far as queries need them."""

from __future__ import annotations

from unmirage.text.english.inflection import is_irregular_participle, is_regular_participle

DETERMINERS = frozenset(
    "the a an this that these those his her their its your my our every each either neither some any no all both "
    "another such several many much few more most what which whose".split()
)
NUMBERS = frozenset("one two three four five six seven eight nine ten eleven twelve dozen hundred thousand".split())
POSSESSIVES = frozenset("his her their its your my our".split())
DEMONSTRATIVES = frozenset("this that these those".split())
PRONOUNS = frozenset(
    "he she it they we you i there someone anyone everyone nobody somebody anybody everybody something anything "
    "everything nothing him them us me".split()
)
PREPOSITIONS = frozenset(
    "of in on at by for with about against between into through during before after above below to from down off "
    "over under behind beside near around across along toward towards within without upon onto like as than per via "
    "inside outside beneath next among amongst amid despite regarding concerning including based besides beyond "
    "throughout alongside according due because atop up out".split()
)
RELATIVES = frozenset("who that which whose where when whom why".split())
CONJUNCTIONS = frozenset("and or nor but".split())

BE = frozenset("is are was were am isn't aren't wasn't weren't".split())
DO = frozenset("do does did don't doesn't didn't".split())
HAVE = frozenset("has have had hasn't haven't hadn't".split())
MODALS = frozenset(
    "can could will would should may might must shall can't cannot couldn't won't wouldn't shouldn't mustn't".split()
)
AUXILIARIES = BE | DO | HAVE | MODALS
WH = frozenset("what which who whom whose where when why how".split())

ADVERBS = frozenset(
    "likely most possibly probably also typically usually currently primarily mainly potentially not very too so "
    "really actually just still already always never often ever even more less quite rather only now here today "
    "there together alone truly generally normally commonly currently apparently seemingly clearly visibly perhaps "
    "mostly well properly fully then away outdoors indoors outside inside yet soon again".split()
)

# Base forms that are hardly ever nouns, and those that are as often a noun as a verb.
STRONG_VERBS = frozenset(
    """
    brainstorm devise earn recall vomit wipe
    abuse advocate assassinate blackmail bully counterfeit defraud embezzle harass hijack impersonate insult kidnap
    launder persuade plagiarize proofread radicalize recruit rephrase rewrite sabotage smuggle torture vandalize
    accept accompany accomplish achieve acquire adapt add address adjust admire admit adopt advertise advise affect
    agree allow allude analyse analyze announce annoy apologise apologize appear apply appreciate approach argue
    arrange arrive ask assemble assess assist assume attach attain attempt attend attract avoid bake be become begin
    behave believe belong block boil borrow bring broaden build burn buy bypass calculate calm carry celebrate
    choose circulate clarify classify climb come communicate compare compete complain complete comply compose
    comprise conceal conclude connect consider consist construct consume contain continue contrast contribute
    convert convey convince cook copy correspond count create criticise criticize cut deal decide decline decipher
    decode deduce defend define deliver demonstrate denote deny depict deploy derive describe deserve destroy detect
    determine develop diagnose die differ disable disagree disappear disclose discourage discover discuss disguise
    dismantle display distinguish distribute do drink drive eat edit elaborate embody emit emphasize employ enable
    encourage endorse enhance enjoy ensure enter escape establish estimate evade evaluate evoke examine exemplify
    exhibit exist expect explain exploit explore expose express extract fabricate facilitate fall feel fight fill
    find fit fix flee fly follow forge forget forgive form fund gain gather generate get give grant go grow guess
    happen harm hate have hear help hide highlight hire hold hurt identify ignore illustrate imagine imply impose
    improve include incite incorporate increase indicate infer influence inform inject inspire install instruct
    intend interact interpret introduce invade invent invest investigate involve join judge justify keep kill know
    laugh lay lead learn leave lend let lie live locate lose love maintain make manage manipulate manufacture mean
    measure meet memorize mention mimic mock modify monetize move need notice obey obtain observe occur offer open
    operate organise organize originate overcome own paint participate pass pay perceive perform permit pertain play
    portray possess post prefer prepare present preserve pretend prevent proceed produce promote pronounce propagate
    propose protect prove provide publish purchase pursue put raise reach react read realise realize receive
    recognise recognize recommend recreate redact reduce refer reflect refrain refuse regard reject relate release
    rely remain remember remove render repair repeat replace replicate represent reproduce require resemble reset
    resist resolve respond restore reveal ride ridicule rise rotate run satisfy save say see seek seem select sell
    send separate serve signify set sew shed sharpen shine sit sleep smell smile sneak solve speak specify speculate
    spend spread stand start stay steal stop submit subscribe succeed suffer suggest summarise summarize survive
    swim symbolise symbolize take talk target taste teach tell tend thank think threaten throw trace train transform
    translate transmit transport treat try turn underline understand undress unlock update upload urge use utilise
    utilize vary verify violate visit wait walk want warn wash wear weigh win wish work worry write zoom
    """.split()
)
WEAK_VERBS = frozenset(
    """
    act aim answer appeal attack attract back ban base battle bear beat bet bill blame blend book brand break bribe
    call care cause challenge change charge chat cheat check clean click close coach color colour comment compliment
    conduct contact control cost cover craft crop cross cure cycle damage dance dare date design detail doubt
    download draft draw dress drop end engage estimate exercise experience face fake farm favour favor feature feed
    file finish fish flag float focus fold force forward frame function gamble grade guard guide grab hack hand
    handle harvest head heat host hunt impact interview judge jump kick kiss label land last laugh launch leak
    lecture level lift light like limit link list look mail map mark mask mass match matter mix model murder name
    note number order outline pack park pause photograph pick picture pin place plan plant point poison pose
    practice practise praise pray press print process profile program project pull punch push question quote race
    rain rank rap rate record reference remark rent report request rescue research rest result return review ride
    risk rob roll rule sail sample scale scam score search seat secure sense share shape shift ship shoot shop shout
    show sign signal sing size sketch ski slice smoke snow solve sound source spark spell split sponsor sport spot
    stack stage stalk state step stick store stream stress strike structure study suit supply support surf surprise
    surround suspect tag talk tap taste tie time top touch tour trade trail travel trick trust tweet type view visit
    vote wake watch water wave wonder
    """.split()
)
BASE_VERBS = STRONG_VERBS | WEAK_VERBS

# Words that are also base forms, nouns or past tenses but count as participles, and one that the dictionary lacks.
PARTICIPLES = frozenset(
    "become being burnt cut fallen found given hit hurt known lain left lit put read run set shot sitting spread stuck "
    "thought".split()
)
# Verb forms that are usually nouns or adjectives, and two names.
NOT_PARTICIPLES = frozenset(
    "bedding beijing building clothing drawing dressing evening feeling flooring housing lighting marketing meaning "
    "meeting painting parking plumbing railing sacred setting stuffing viking wedding writing".split()
)

ADJECTIVES = frozenset(
    """
    able acceptable accurate active afraid alive angry appropriate asleep authentic available awake aware bad bald
    beautiful best better big black blonde blue blurry blurred bored brave bright broad broken brown busy calm cheap
    clean clear clever closed cloudy cold colorful colourful common cooked cool correct crowded curly cute daily
    damp dangerous dark dead deadly deep different difficult dirty drunk dry due dull easy elderly empty ethical
    excited expensive fair fake false familiar famous fancy far fast fat female fine firm fit flat foggy foreign
    formal free fresh friendly frozen full funny gay genuine glad good grassy gray great green grey guilty happy
    hard harmful healthy heavy high hot huge human hungry icy ill illegal important injured innocent inside
    interesting international kind large late lazy legal light little lonely long loose loud low lucky mad male
    married mean messy missing modern moral muddy naked narrow native natural necessary negative nervous new nice
    noisy normal nude obvious odd offensive official old open orange outdated overcast overweight pale perfect pink
    plain pleasant poor popular positive possible pregnant present pretty proper public purple quick quiet racist
    rainy rare raw ready real red rich right ripe rotten rough round rude rusty sad safe same scared secure sexist
    sexual sexy shallow sharp shiny short shy sick silver similar simple single skinny sleepy slim slow small smart
    smooth snowy soft solid sour special spicy square stale steep stormy straight strange strong sunny suitable sunk
    sure sweet tall tan tasty thick thin tidy tight tiny tired tough transparent true ugly unclear unethical unhappy
    unhealthy unique unsafe unusual urban useful usual vacant valid vegan vegetarian vertical violent visible warm
    weak wealthy weird wet white whole wide wild windy wise wooden wrong yellow young worth worse worst responsible
    relevant ethnic
    """.split()
)
_NO_ADJECTIVES = frozenset("polish radish rubbish parish starfish goldfish jellyfish table vegetable".split())
_ADJECTIVE_ENDINGS = ("ful", "ous", "able", "ible", "less", "ical", "ish")

_NO_ADVERBS = BASE_VERBS | frozenset(
    "family elderly deadly friendly only likely ugly silly italy assembly fly lonely".split()
)

PERSONS = frozenset(
    """
    person persons people man men woman women child children boy boys girl girls baby babies individual individuals
    figure figures player players politician politicians character characters celebrity celebrities artist artists
    actor actress actors owner owners author authors student students teacher teachers soldier soldiers officer
    officers kid kids guy guys lady ladies gentleman couple family doctor nurse patient photographer victim victims
    leader leaders president creator creators subject subjects speaker speakers singer athlete athletes model models
    manufacturer suspect criminal driver passenger passengers members member users user poster adult adults infant
    toddler teenager teenagers worker workers male female males females anyone someone everyone
    """.split()
)
# Persons and objects in images: a query asks for a description of them, not what they are.
CONCRETE = PERSONS | frozenset(
    """
    image images picture pictures photo photos photograph photographs painting paintings drawing drawings scene
    scenes meme memes video videos poster posters artwork artworks sculpture sculptures statue statues screenshot
    sketch illustration cartoon advertisement advertisements ad ads diagram chart graph map animal animals dog dogs
    cat cats bird birds horse horses car cars building buildings room rooms house houses outfit outfits clothing
    clothes dress shirt hat helmet hair hairstyle tattoo tattoos injury injuries wound wounds object objects item
    items product products device machine weapon weapons gun guns food foods dish drink group crowd event events
    environment background foreground landscape furniture gesture gestures lamp boat kite tower city street pair
    bunch lot
    """.split()
)
MEDIA = frozenset(
    "image images picture pictures photo photos meme memes post posts video videos advert advertisement ad link links "
    "screenshot content page offer coupon deal file quote tweet website url it them".split()
)


def is_participle(word: str) -> bool:
    """Return whether `word` is a participle: "holding", "worn", "dressed"."""
    if word in NOT_PARTICIPLES:
        return False
    return word in PARTICIPLES or is_regular_participle(word) or is_irregular_participle(word)


def is_adjective(word: str) -> bool:
    """Return whether `word` is an adjective, by list or ending."""
    if word in _NO_ADJECTIVES:
        return False
    return word in ADJECTIVES or (len(word) > 5 and word.endswith(_ADJECTIVE_ENDINGS))


def is_adverb(word: str) -> bool:
    """Return whether `word` is an adverb, by list or ending."""
    return word in ADVERBS or (len(word) > 4 and word.endswith("ly") and word not in _NO_ADVERBS)
