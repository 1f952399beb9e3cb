"""Deals with known themes, drawn from tables of words, to measure clustering against.

A theme is subject x format x audience. Seller, market, currency, safety, tiers and the pattern of
the deal name are drawn without regard to the theme: wording that all themes share. Subjects, sellers,
name patterns and the way a theme is put together differ on purpose from those of `sample_data`.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from core.deals import Deal
from core.deals.deal import Audience, Commercial, Safety, Taxonomy

BRIDGE_SHARE = 0.12
NOISE_SHARE = 0.05
THEME_SIZES = (4, 60)


@dataclass(frozen=True, slots=True)
class Planted:
    """Deals and, index by index, the themes each belongs to.

    themes[i]: numbers of its themes; empty = noise, two = bridge.
    """

    deals: tuple[Deal, ...]
    themes: tuple[frozenset[int], ...]


@dataclass(frozen=True, slots=True)
class Difficulty:
    """How hard the themes are to find.

    small: how far small themes outnumber large ones; 1 draws sizes even on a log scale, 0 only the largest.
    repeated: share of the themes that take the subject of an earlier theme and differ from it in
        format or audience only.
    own_words: fewest and most concepts of a deal that come from its theme; stray: chance of a
        concept of any subject on top, drawn twice.
    off_audience: chance that one segment is of another audience.
    off_outlet: chance that a publisher is a general one, which any theme may use.
    plain_name: share of deal names that do not name the subject.
    missing: chance of each field in `GAPS` to be empty.
    """

    small: float
    repeated: float
    own_words: tuple[int, int]
    stray: float
    off_audience: float
    off_outlet: float
    plain_name: float
    missing: float


# "usual" is set by k-means on the raw vectors (k = n / 25, oversize clusters cut in input order): purity .75
# to .87 and .84 to .92 of the deals among four mates. Measured at 1,000 deals, seeds 1 to 5: .797 to .872
# and .843 to .880. "harder" differs in more small themes and a little more stray wording.
PRESETS: dict[str, Difficulty] = {
    "usual": Difficulty(0.5, 0.2, (5, 6), 0.05, 0.05, 0.05, 0.05, 0.02),
    "harder": Difficulty(1, 0.1, (5, 6), 0.1, 0.05, 0.1, 0.05, 0.02),
    "hard": Difficulty(1, 0.45, (3, 6), 0.25, 0.2, 0.25, 0.3, 0.07),
}
GAPS = ("taxonomy", "concepts", "segments", "demographic", "publishers", "formats", "safety", "tier")


@dataclass(frozen=True, slots=True)
class Subject:
    """What inventory is about. paths: tiers below `tier1`, joined by " > " (IAB Content Taxonomy 3.1)."""

    tier1: str
    paths: tuple[str, ...]
    titles: tuple[str, ...]
    concepts: tuple[str, ...]
    outlets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Format:
    """How the ad appears. value: the record's format; words: as names say it; outlets: where it runs."""

    value: str
    words: tuple[str, ...]
    outlets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Persona:
    """Whom the inventory reaches."""

    title: str
    segments: tuple[str, ...]
    demographics: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split("; "))


def _subject(tier1: str, *lists: str) -> Subject:
    return Subject(tier1, *map(_words, lists))


SUBJECTS: tuple[Subject, ...] = (
    _subject(
        "Sports",
        "Soccer; Rugby > Rugby Union; Cricket",
        "Football Fans; Matchday; Kick Off",
        "premier league; transfer news; line-ups; penalty shootout; derby; goalkeeper; six nations; stadium",
        "TouchlineDaily; FourFourTwo; GoalPost; The Terrace",
    ),
    _subject(
        "Sports",
        "Skiing; Extreme Sports > Snowboarding; Extreme Sports > Climbing",
        "Mountain Sports; Alpine; Peaks",
        "powder days; chairlift; avalanche safety; ski boots; bouldering; belay; backcountry; slalom",
        "Powderlines; SummitPost; OnTheSnow; Crag Journal",
    ),
    _subject(
        "Sports",
        "Cycling; Track and Field; Swimming",
        "Endurance; Active Miles; Train Harder",
        "marathon plan; triathlon; road bike; interval training; heart rate zones; open water; "
        "pace; recovery",
        "VeloNews; Runner Weekly; TriRadar; Lane Four",
    ),
    _subject(
        "Pets",
        "Dogs; Veterinary Medicine; Pet Adoptions",
        "Dog Owners; Pet Care; Paws",
        "puppy training; kibble; vaccination; leash; flea treatment; shelter; grooming; vet bills",
        "BarkPost; Kennel Club News; DogTime; Wag Weekly",
    ),
    _subject(
        "Pets",
        "Fish and Aquariums; Reptiles; Birds",
        "Aquarium & Exotic; Small Creatures; Terrarium",
        "tank filter; coral reef tank; gecko; terrarium heating; parrot cage; water hardness; "
        "live plants; molt",
        "Reef Keeper; Aquarist; GeckoTalk; Aviary Life",
    ),
    _subject(
        "Home & Garden",
        "Gardening; Landscaping; Outdoor Decorating",
        "Gardeners; Green Thumb; Yard & Patio",
        "raised beds; compost; perennials; lawn mowing; tomato seedlings; pergola; pruning; soil ph",
        "Gardenista; Potting Shed; Allotment Weekly; The Sod",
    ),
    _subject(
        "Home & Garden",
        "Remodeling & Construction; Home Improvement; Smart Home",
        "Renovators; DIY House; Fixer",
        "kitchen remodel; drywall; power drill; insulation; bathroom tiles; smart thermostat; "
        "permits; decking",
        "Bob the Builder Hub; Toolbelt; RenoPlanner; HandyHouse",
    ),
    _subject(
        "Real Estate",
        "Real Estate Buying and Selling; Houses; Apartments",
        "Property Search; Home Movers; Listings",
        "open house; mortgage preapproval; first-time buyer; estate agent; square footage; "
        "closing costs; lease",
        "NestSeekers; Rightmove; KeyHolder; Address Book",
    ),
    _subject(
        "Personal Finance",
        "Personal Investing > Stocks and Bonds; Retirement Planning; Personal Investing > Mutual Funds",
        "Investors; Portfolio; Wealth Builders",
        "dividend yield; index funds; pension; asset allocation; bond ladder; capital gains; brokerage; etf",
        "Ticker Tape; The Motley Post; Yieldwatch; Pension Age",
    ),
    _subject(
        "Personal Finance",
        "Personal Debt > Credit Cards; Personal Debt > Personal Loans; Frugal Living",
        "Money Savers; Credit Check; Budget Better",
        "cashback; credit score; balance transfer; coupon codes; overdraft; debt snowball; "
        "interest rate; budget",
        "PennyWise; CardRatings; Thrift Diary; MoneySavingExpert",
    ),
    _subject(
        "Business and Finance",
        "Business > Startups; Business > Small and Medium-sized Business; Business > Business I.T.",
        "Founders; Small Business Desk; B2B Growth",
        "venture capital; payroll software; crm; pitch deck; hiring; cash flow; saas; invoicing",
        "FounderNotes; Inc Brief; SMB Ledger; SaaStr Weekly",
    ),
    _subject(
        "Business and Finance",
        "Industries > Agriculture; Industries > Logistics and Transportation Industry; "
        "Industries > Manufacturing Industry",
        "Industry Trade; Freight & Farm; Supply Chain",
        "crop yields; freight rates; warehouse automation; tractors; tariffs; cold chain; "
        "port congestion; grain",
        "FreightWaves; Farm Journal; PlantFloor; Cargo Times",
    ),
    _subject(
        "Technology & Computing",
        "Consumer Electronics > Smartphones; Consumer Electronics > Wearable Technology; "
        "Consumer Electronics > Cameras and Camcorders",
        "Gadgets; Tech Reviews; Unboxed",
        "smartwatch; camera sensor; battery life; foldable phone; earbuds; benchmark; "
        "android update; charging",
        "GadgetGrid; Pocket-lint; DPReview; Circuit Breaker",
    ),
    _subject(
        "Technology & Computing",
        "Computing > Programming Languages; Artificial Intelligence; "
        "Computing > Computer Software and Applications",
        "Developers; Code & Cloud; Engineers",
        "python; kubernetes; code review; machine learning; open source; api design; debugging; devops",
        "StackDigest; The Register Dev; CommitLog; HackerBits",
    ),
    _subject(
        "Video Gaming",
        "PC Games; Console Games; eSports",
        "Gamers; Play Zone; Level Up",
        "battle royale; speedrun; graphics card; loot; patch notes; controller; esports league; open world",
        "Rock Paper Pixel; Eurogamer; RespawnFM; Loadout",
    ),
    _subject(
        "Video Gaming",
        "Mobile Games; Video Game Genres > Puzzle Video Games; Video Game Genres > Casual Games",
        "Casual Play; Tap & Match; Puzzle Time",
        "match three; daily puzzle; word search; power-ups; leaderboard; rewarded video; "
        "idle clicker; sudoku",
        "Candy Tap; Wordly; SolitaireHub; Bubble Bay",
    ),
    _subject(
        "Food & Drink",
        "Vegan Diets; Healthy Cooking and Eating; Vegetarian Diets",
        "Plant Based; Clean Eating; Greens",
        "tofu; plant protein; oat milk; meal bowls; fiber; gluten free; lentils; smoothies",
        "Oh She Glows; Green Kitchen; Lentil Lab; Sprout",
    ),
    _subject(
        "Food & Drink",
        "Barbecues and Grilling; World Cuisines; Desserts and Baking",
        "Grill & Bake; Kitchen Table; Flavour",
        "charcoal smoker; brisket; sourdough starter; street food; marinade; curry paste; cupcakes; "
        "cast iron",
        "Smoke Ring; King Arthur Bakes; Wok Diary; Crumb",
    ),
    _subject(
        "Food & Drink",
        "Alcoholic Beverages; Dining Out; Non-Alcoholic Beverages",
        "Bars & Tables; Wine and Spirits; Night Out",
        "tasting notes; natural wine; craft beer; cocktail bar; sommelier; tasting menu; espresso; "
        "brewery tour",
        "Decanter; Eater Nights; Hop Culture; Barfly",
    ),
    _subject(
        "Travel",
        "Travel Type > Camping; Travel Type > Adventure Travel; Travel Type > Road Trips",
        "Outdoor Escapes; Campers; Open Road",
        "tent pitch; campervan; hiking trail; national park; packing list; campfire; kayaking; rest stops",
        "Roadtrippers; Backpack Mag; Vanlife Diaries; Trailhead",
    ),
    _subject(
        "Travel",
        "Travel Type > Business Travel; Travel Type > Air Travel; Travel Type > Hotels and Motels",
        "Frequent Flyers; Business Class; Check In",
        "airport lounge; air miles; upgrade; jet lag; hotel loyalty; carry-on; layover; expense report",
        "The Points Chap; Airways; LoungeBuddy; Concierge",
    ),
    _subject(
        "Family and Relationships",
        "Parenting > Parenting Babies and Toddlers; Parenting > Parenting Children Aged 4-11; "
        "Parenting > Daycare and Pre-School",
        "New Parents; Family Life; Little Ones",
        "nap schedule; stroller; teething; screen time; picky eaters; car seat; playdate; school run",
        "Mumsnet; BabyCenter; Tiny Steps; The Dad Post",
    ),
    _subject(
        "Family and Relationships",
        "Dating; Marriage and Civil Unions; Divorce",
        "Relationships; Love & Life; Singles",
        "first date; wedding venue; couples therapy; dating apps; engagement ring; breakup; vows; guest list",
        "The Knot Notes; HeartBeat; Aisle Planner; Agony Column",
    ),
    _subject(
        "Medical Health",
        "Diseases and Conditions > Diabetes; Diseases and Conditions > Heart and Cardiovascular Diseases; "
        "Pharmaceutical Drugs",
        "Patient Info; Chronic Care; Health Answers",
        "blood sugar; insulin; cholesterol; blood pressure; side effects; clinical trial; "
        "cardiologist; statins",
        "Healthline Care; DiabetesDaily; HeartMatters; RxNotes",
    ),
    _subject(
        "Healthy Living",
        "Wellness > Alternative Medicine; Fitness and Exercise; Wellness > Physical Therapy",
        "Mind & Body; Wellbeing; Balance",
        "yoga flow; mindfulness; pilates; sleep hygiene; foam roller; breathing; posture; stretching",
        "Well+Calm; Yoga Journal; MoveWell; Stillness",
    ),
    _subject(
        "Style & Fashion",
        "Beauty > Skin Care; Beauty > Makeup and Accessories; Personal Care > Shaving",
        "Beauty Edit; Skin & Glow; Vanity",
        "retinol; serum; foundation shade; lip gloss; spf; routine; dermatologist; fragrance notes",
        "Into the Mirror; GlowUp; Beautypedia; Dew",
    ),
    _subject(
        "Style & Fashion",
        "Men's Fashion > Men's Shoes and Footwear; Street Style; Women's Fashion > Women's Clothing",
        "Streetwear; Sneaker Drop; Wardrobe",
        "sneaker release; denim; capsule wardrobe; vintage jackets; limited drop; hoodies; sizing; resale",
        "Hypekicks; Complex Closet; Grailed; Seam",
    ),
    _subject(
        "Entertainment",
        "Movies; Television",
        "Screen Time; Premieres; Red Carpet",
        "box office; trailer; season finale; director's cut; casting news; streaming release; awards; sitcom",
        "ScreenRant; Reel Talk; PopBuzz; The Credits",
    ),
    _subject(
        "Entertainment",
        "Music > Rock Music; Music > Hip Hop Music; Music > Dance and Electronic Music",
        "Music Fans; Headliners; New Releases",
        "album review; tour dates; festival line-up; vinyl; playlist; drum machine; lyrics; guitar riffs",
        "Pitch Perfect Mag; NME Sessions; BeatPort News; Encore",
    ),
    _subject(
        "Automotive",
        "Auto Body Styles > SUV; Auto Buying and Selling; Auto Body Styles > Hatchback",
        "Car Buyers; Showroom; New Wheels",
        "trade-in value; boot space; test drive; fuel economy; lease deal; infotainment; "
        "safety rating; dealer",
        "CarWow; Motor1 Buyers; AutoExpress; Kelley Book",
    ),
    _subject(
        "Automotive",
        "Motorcycles; Auto Body Styles > Off-Road Vehicles; Auto Type > Classic Cars",
        "Riders; Garage Heroes; Classic Engines",
        "carburetor; helmet; restoration; dirt bike; winch; chrome; oil change; track day",
        "Cycle Torque; Hagerty Garage; RideApart; Mudslinger",
    ),
    _subject(
        "Education",
        "College Education > Postgraduate Education; Language Learning; Online Education",
        "Learners; Study Hub; Campus",
        "scholarship; exam prep; vocabulary drills; lecture notes; flashcards; tuition; thesis; "
        "online course",
        "Campus Times; Coursebook; LingoLeap; StudyCorgi",
    ),
    _subject(
        "Science",
        "Space and Astronomy; Environment; Physics",
        "Curious Minds; Space & Planet; Discovery Lab",
        "rocket launch; exoplanet; climate model; particle; telescope; carbon capture; fossils; orbit",
        "Space Current; New Scientist Daily; Orbit Report; Quanta Bits",
    ),
    _subject(
        "Hobbies & Interests",
        "Arts and Crafts > Needlework; Arts and Crafts > Woodworking; Arts and Crafts > Scrapbooking",
        "Makers; Craft Corner; Handmade",
        "knitting pattern; yarn; dovetail joint; lathe; quilting; sewing machine; glue gun; cross stitch",
        "Ravel Room; Craftsy; WoodSmith; Stitch Post",
    ),
    _subject(
        "Politics",
        "Elections; Political Issues & Policy; Civic affairs",
        "News & Politics; Capitol; Current Affairs",
        "polling; senate vote; foreign policy; campaign trail; ballot; op-ed; sanctions; supreme court",
        "The Hill Post; Politico Brief; Daily Ballot; Roll Call",
    ),
    _subject(
        "Religion & Spirituality",
        "Astrology; Spirituality; Christianity",
        "Faith & Spirit; Horoscopes; Inner Path",
        "zodiac sign; tarot; sunday sermon; scripture; moon phase; prayer; pilgrimage; gospel",
        "Astrofame; Patheos; Starsign Daily; Pulpit",
    ),
)

FORMATS: tuple[Format, ...] = (
    Format(
        "video",
        _words("Preroll; Connected TV; Video; Big Screen; Outstream"),
        _words("Tubi; Rakuten TV; Xumo; Samsung TV Plus; Dailymotion; Plex"),
    ),
    Format(
        "display",
        _words("MPU; Skins; Rich Media; Leaderboards; Billboard 970"),
        _words("Yahoo; AOL; MSN Home; Reach plc; Gannett Sites; Mail Online"),
    ),
    Format(
        "audio",
        _words("Radio; Spoken Word; Audio Spots; Companion Audio; Host Read"),
        _words("Acast; Global Player; Deezer; SoundCloud; Pandora; Podbean"),
    ),
    Format(
        "native",
        _words("Feed Cards; Sponsored Stories; Recommendation Units; In-Article; Native Units"),
        _words("Flipboard; Taboola News; Outbrain Feed; Upday; SmartNews; Buzzfeed"),
    ),
)


def _persona(title: str, segments: str, demographics: str) -> Persona:
    return Persona(title, _words(segments), _words(demographics))


PERSONAS: tuple[Persona, ...] = (
    _persona("Students", "College Students; Dorm Shoppers; First Jobbers; Campus Social", "A18-24; 18-24"),
    _persona("Seniors", "Empty Nesters; Retirees; Grandparents; Medicare Age", "A65+; 60 and over"),
    _persona("Mums", "Mothers of Under 5s; School Mums; Family Shoppers; Household Planners", "W25-44"),
    _persona("Execs", "C-Suite; Decision Makers; Senior Managers; Procurement Leads", "A35-54, HHI $200K+"),
    _persona("Hispanic", "Hispanic Households; Spanish Speakers; Bilingual Millennials", "Hispanic A18-49"),
    _persona("Bargain", "Coupon Clippers; Discount Shoppers; Price Comparers", "HHI under $50K; A25-64"),
    _persona("Affluent", "High Net Worth; Luxury Buyers; Platinum Cardholders", "HHI $250K+; Top 5% income"),
    _persona("Movers", "Recent Movers; New Homeowners; Renters Ready To Buy", "A28-45; First-home age"),
    _persona("Men", "Young Men; Male Sports Viewers; Grooming Buyers", "M18-34; M21-39"),
    _persona("Eco", "Sustainable Shoppers; Climate Concerned; Ethical Consumers", "A25-44, Urban"),
    _persona(
        "Rural", "Small Town Households; Rural Drivers; Pickup Owners", "A35-64, Rural; C and D counties"
    ),
    _persona("Teens", "Gen Z Trendsetters; Teens 13-17; After School", "A13-17; Gen Z"),
    _persona("Techies", "IT Professionals; Early Adopters; Software Buyers", "A25-49, STEM degree"),
    _persona("Patients", "Caregivers; Health Seekers; Prescription Refillers", "A45+; Chronic condition"),
)

SELLERS = _words(
    "Sovrn; Media.net; Yieldmo; Kargo; Unruly; GumGum; 33Across; Sonobi; Improve Digital; Ogury; "
    "Seedtag; Nexxen"
)
MARKETS = (
    ("US", "USD"),
    ("CA", "CAD"),
    ("GB", "GBP"),
    ("DE", "EUR"),
    ("ES", "EUR"),
    ("SE", "SEK"),
    ("JP", "JPY"),
    ("IN", "INR"),
    ("BR", "BRL"),
)
GENERAL_OUTLETS = _words(
    "USA Today; The Guardian; Daily Mirror; Le Monde; El Pais; Newsweek; The Independent; Weather.com; "
    "Reddit; Imgur; Quora; Fandom; TechRadar; HuffPost; Fox Local; CBS Local; Metro; Dotdash"
)
BUYERS = _words("OMG; Dentsu; Havas; GroupM; IPG; Indie Desk; Inhouse")
# {title} and {who} say what a deal is about, everything else is shared by all themes.
NAMES = _words(
    "{buyer}|{market}|{title}|{kind}|{year}; {title} x {who} ({market}) {kind}; {seller} - {title} - {kind}; "
    "{year}H{half} {title} {kind} {market} {currency}; AUD_{who}_{title}_{market}; "
    "{title} / {outlet} / {kind}; "
    "Curated: {title} for {who}; PG {buyer} {title} {number}"
)
PLAIN_NAMES = _words(
    "{seller} {kind} {market} #{number}; {buyer} PD {year} {number}; {market} {kind} evergreen; "
    "DID-{number} {currency}; {buyer}_{market}_{kind}_H{half}{year}; Backfill {seller} {number}; "
    "{outlet} {kind} {market}; Priority {number} {buyer}"
)
RISKS = _words("Low; Low; Medium; High")
VERTICALS = _words("Auto; CPG; Retail; Telco; Finance; Pharma; Travel; Alcohol; Gaming; Political")
QUALITIES = _words("Premium; Mid-tier; RON")
VOLUMES = _words("High; Medium; Low")


@dataclass(frozen=True, slots=True)
class Theme:
    """One planted theme: its subject, format and audience, and the words it prefers among theirs.

    verticals: advertisers its content is safe for.
    """

    subject: Subject
    format: Format
    persona: Persona
    paths: tuple[str, ...]
    concepts: tuple[str, ...]
    segments: tuple[str, ...]
    outlets: tuple[str, ...]
    verticals: tuple[str, ...]


def planted_deals(count: int, seed: int, preset: str = "usual") -> Planted:
    """Draw deals of one of the PRESETS in random order; the same arguments give the same deals.

    12 % are bridges between two themes, 5 % noise, the others fill themes of 4 to 60 deals.
    """
    level = PRESETS[preset]
    chance = random.Random(f"{preset} {seed}")
    bridges, noise = round(count * BRIDGE_SHARE), round(count * NOISE_SHARE)
    sizes = theme_sizes(chance, count - bridges - noise, level.small)
    themes = _draw_themes(chance, len(sizes), level)
    members = [(number,) for number, size in enumerate(sizes) for _ in range(size)]
    truth: list[tuple[int, ...]] = [*members, *[()] * noise]
    truth += [tuple(chance.sample(range(len(themes)), min(2, len(themes)))) for _ in range(bridges)]
    chance.shuffle(truth)
    ids = chance.sample(range(10**8, 10**9), count)
    deals = tuple(
        _draw_deal(chance, str(number), _parts(chance, themes, belongs), level)
        for number, belongs in zip(ids, truth, strict=True)
    )
    return Planted(deals, tuple(frozenset(belongs) for belongs in truth))


def theme_sizes(chance: random.Random, deals: int, small: float = 1.0) -> list[int]:
    """Divide deals into themes of 4 to 60, more or fewer of them small: see `Difficulty`.

    With few deals the largest theme holds a third of them.
    """
    low, high = THEME_SIZES[0], max(THEME_SIZES[0], min(THEME_SIZES[1], deals // 3))
    sizes: list[int] = []
    left = deals
    while left >= low:
        size = min(left, round(low * (high / low) ** (chance.random() ** small)))
        sizes.append(size)
        left -= size
    for place in range(left):
        sizes[place % len(sizes)] += 1
    return sizes


def _draw_themes(chance: random.Random, count: int, level: Difficulty) -> list[Theme]:
    taken: set[tuple[int, int, int]] = set()
    used: list[int] = []
    themes: list[Theme] = []
    while len(themes) < count:
        fresh = [number for number in range(len(SUBJECTS)) if number not in used]
        repeat = not fresh or (used and chance.random() < level.repeated)
        subject = chance.choice(used if repeat else fresh)
        key = (subject, chance.randrange(len(FORMATS)), chance.randrange(len(PERSONAS)))
        if key in taken:
            continue
        taken.add(key)
        used.append(subject)
        themes.append(_draw_theme(chance, SUBJECTS[subject], FORMATS[key[1]], PERSONAS[key[2]]))
    return themes


def _draw_theme(chance: random.Random, subject: Subject, kind: Format, persona: Persona) -> Theme:
    outlets = (*chance.sample(subject.outlets, 3), *chance.sample(kind.outlets, 3))
    return Theme(
        subject,
        kind,
        persona,
        paths=tuple(chance.sample(subject.paths, 2)),
        concepts=tuple(chance.sample(subject.concepts, 6)),
        segments=tuple(chance.sample(persona.segments, 3)),
        outlets=outlets,
        verticals=tuple(chance.sample(VERTICALS, 4)),
    )


def _parts(chance: random.Random, themes: list[Theme], belongs: Sequence[int]) -> list[Theme]:
    """Return what a deal is drawn from; noise gets a one-off theme whose words come from three others."""
    if belongs:
        return [themes[number] for number in belongs]
    subjects = chance.sample(SUBJECTS, 3)
    personas = chance.sample(PERSONAS, 3)
    mixed = Subject(
        subjects[0].tier1,
        subjects[0].paths,
        ("Run of Site", "Bundle", "Remnant"),
        tuple(chance.choice(subject.concepts) for subject in subjects * 2),
        GENERAL_OUTLETS,
    )
    segments = tuple(chance.choice(persona.segments) for persona in personas)
    persona = Persona("Everyone", segments, ("A18+",))
    kind = chance.choice(FORMATS)
    return [Theme(mixed, kind, persona, mixed.paths, mixed.concepts, segments, GENERAL_OUTLETS, VERTICALS)]


def _draw_deal(chance: random.Random, deal_id: str, parts: Sequence[Theme], level: Difficulty) -> Deal:
    lead = chance.choice(parts)
    market, currency = chance.choice(MARKETS)
    seller = chance.choice(SELLERS)
    empty = {field for field in GAPS if chance.random() < level.missing}
    concepts = _share_out(chance, [part.concepts for part in parts], chance.randint(*level.own_words))
    concepts += [
        chance.choice(chance.choice(SUBJECTS).concepts) for _ in range(2) if chance.random() < level.stray
    ]
    segments = _share_out(chance, [part.segments for part in parts], chance.randint(2, 3))
    if chance.random() < level.off_audience:
        segments.append(chance.choice(chance.choice(PERSONAS).segments))
    outlets = [
        chance.choice(GENERAL_OUTLETS) if chance.random() < level.off_outlet else outlet
        for outlet in _share_out(chance, [part.outlets for part in parts], chance.randint(3, 5))
    ]
    return Deal(
        deal_id=deal_id,
        deal_name=_draw_name(chance, parts, seller, market, currency, outlets[0], level),
        ssp_name=seller,
        formats=() if "formats" in empty else (lead.format.value,),
        taxonomy=Taxonomy() if "taxonomy" in empty else _draw_category(chance, parts),
        concepts=() if "concepts" in empty else tuple(dict.fromkeys(concepts)),
        safety=Safety() if "safety" in empty else _draw_safety(chance, lead),
        audience=Audience(
            () if "segments" in empty else tuple(dict.fromkeys(segments)),
            None if "demographic" in empty else chance.choice(chance.choice(parts).persona.demographics),
        ),
        commercial=Commercial()
        if "tier" in empty
        else Commercial(chance.choice(QUALITIES), chance.choice(VOLUMES)),
        publishers=() if "publishers" in empty else tuple(dict.fromkeys(outlets)),
        geos=(market,),
        currency=currency,
    )


def _share_out(chance: random.Random, pools: Sequence[Sequence[str]], count: int) -> list[str]:
    """Draw words from each pool in equal parts, `count` in all and at least one of each pool."""
    each = max(1, round(count / len(pools)))
    return [word for pool in pools for word in chance.sample(pool, min(each, len(pool)))]


def _draw_name(
    chance: random.Random,
    parts: Sequence[Theme],
    seller: str,
    market: str,
    currency: str,
    outlet: str,
    level: Difficulty,
) -> str:
    patterns = PLAIN_NAMES if chance.random() < level.plain_name else NAMES
    return chance.choice(patterns).format(
        title=" + ".join(chance.choice(part.subject.titles) for part in parts),
        who=chance.choice(parts).persona.title,
        kind=chance.choice(chance.choice(parts).format.words),
        seller=seller,
        market=market,
        currency=currency,
        outlet=outlet,
        buyer=chance.choice(BUYERS),
        year=chance.choice((25, 26, 27)),
        half=chance.choice((1, 2)),
        number=chance.randrange(1_000, 100_000),
    )


def _draw_category(chance: random.Random, parts: Sequence[Theme]) -> Taxonomy:
    part = chance.choice(parts)
    return Taxonomy(part.subject.tier1, *chance.choice(part.paths).split(" > "))


def _draw_safety(chance: random.Random, lead: Theme) -> Safety:
    verticals = tuple(chance.sample(lead.verticals, chance.randint(0, 3)))
    return Safety(chance.choice(RISKS), chance.choice((True, True, False, None)), verticals)


# --- short texts without shared wording -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of plain sentences: what they are about and what is said of it."""

    things: tuple[str, ...]
    remarks: tuple[str, ...]


def _topic(things: str, remarks: str) -> Topic:
    return Topic(_words(things), _words(remarks))


TOPICS: tuple[Topic, ...] = (
    _topic(
        "my debit card; the new card; a contactless card; the replacement card; my stolen card",
        "was declined at the till; has not arrived yet; got swallowed by the machine; needs a new pin; "
        "was charged twice; is blocked abroad; does not work online",
    ),
    _topic(
        "the afternoon flight; our charter plane; the connecting flight; the red-eye; the airline",
        "was cancelled because of fog; lost two suitcases; left the gate an hour late; had no seats left; "
        "landed in the wrong city; refused a refund; diverted after a bird strike",
    ),
    _topic(
        "the home side; our goalkeeper; the visiting striker; the coach; a young midfielder",
        "scored in stoppage time; missed a penalty; was sent off; signed for two seasons; "
        "lifted the cup; tore a ligament in training; won the derby",
    ),
    _topic(
        "the python script; my sql query; this regex; the build server; a java thread",
        "throws an exception; runs out of memory; returns duplicate rows; hangs on startup; "
        "fails only in production; ignores the config file; leaks connections",
    ),
    _topic(
        "the tomato soup; this sourdough; my apple pie; the roast chicken; a mushroom risotto",
        "needs more salt; burned at the bottom; rose overnight; tastes better the next day; "
        "goes well with white wine; simmers for an hour; turned out dry",
    ),
    _topic(
        "the patient; the new vaccine; a knee surgeon; the migraine drug; her blood test",
        "showed few side effects; was moved to intensive care; lowered the fever; found an infection; "
        "requires a prescription; was approved by the regulator; eased the pain",
    ),
    _topic(
        "the comet; a martian rover; the space telescope; the lunar probe; that exoplanet",
        "orbits a red dwarf; sent back images; passed close to the sun; drilled into rock; "
        "lost contact with earth; has traces of water; launched at dawn",
    ),
    _topic(
        "the senator; the prime minister; the opposition; a city council; the electoral court",
        "vetoed the bill; called an early election; lost the confidence vote; raised the tax; "
        "resigned over a scandal; promised a referendum; demanded a recount",
    ),
    _topic(
        "the guitarist; her second album; the string quartet; a jazz festival; the opera",
        "got three encores; sold out in minutes; was recorded in one take; climbed the charts; "
        "moved to a larger hall; opened with a ballad; reunited after ten years",
    ),
    _topic(
        "my old terrier; the kitten; our parrot; the rescue dog; a nervous rabbit",
        "chewed the sofa; refuses dry food; hides from the vet; sleeps on the windowsill; "
        "learned a new trick; sheds hair everywhere; chases its tail",
    ),
    _topic(
        "the rose bed; my lawn; the apple tree; a vegetable patch; the hedge",
        "needs pruning in march; is full of slugs; dries out in july; wants richer compost; "
        "blooms twice a year; was planted too deep; suffers from mildew",
    ),
    _topic(
        "the rental flat; our landlord; the mortgage; a terraced house; the estate agent",
        "asked for a larger deposit; was sold above the asking price; has damp walls; raised the rent; "
        "comes with a parking space; fell through at closing; needs a survey",
    ),
    _topic(
        "the hatchback; a used van; the electric car; my gearbox; the front brakes",
        "failed the inspection; squeals on cold mornings; charges in thirty minutes; leaks oil; "
        "does fifty miles a gallon; was recalled by the maker; stalls at lights",
    ),
    _topic(
        "the stock index; a tech share; the central bank; the euro; copper futures",
        "fell three percent; beat analyst forecasts; raised interest rates; hit a record high; "
        "slid against the dollar; cut its dividend; rallied before the close",
    ),
    _topic(
        "the maths exam; a first-year student; the professor; my thesis; the language course",
        "was postponed by a week; failed the resit; extended the deadline; needs more references; "
        "won a scholarship; grades on a curve; covers the past tense",
    ),
)
OPENINGS = ("", "", "", "yesterday ", "it seems ", "they say ", "why is it that ", "apparently ")
SENTENCES_PER_TOPIC = (25, 35)


def planted_sentences(seed: int) -> Planted:
    """Draw 25 to 35 plain sentences on each topic, in random order; each is the name of a deal."""
    chance = random.Random(f"sentences {seed}")
    rows = [
        (number, chance.choice(OPENINGS) + f"{thing} {remark}")
        for number, topic in enumerate(TOPICS)
        for thing, remark in chance.sample(
            [(thing, remark) for thing in topic.things for remark in topic.remarks],
            chance.randint(*SENTENCES_PER_TOPIC),
        )
    ]
    chance.shuffle(rows)
    deals = tuple(Deal(f"S{place:04d}", text) for place, (_, text) in enumerate(rows))
    return Planted(deals, tuple(frozenset([number]) for number, _ in rows))


def taxonomy_names() -> Planted:
    """Return the names of IAB's Content Taxonomy 3.1 as public short texts, their tier 1 as theme."""
    table = resources.files("core.deals") / "data" / "content_taxonomy_3.1.tsv"
    lines = table.read_text(encoding="utf-8").splitlines()[1:]
    rows = [row for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if row["Tier 2"]]
    number = {tier1: place for place, tier1 in enumerate(sorted({row["Tier 1"] for row in rows}))}
    deals = tuple(Deal(f"T{row['Unique ID']}", row["Name"]) for row in rows)
    return Planted(deals, tuple(frozenset([number[row["Tier 1"]]]) for row in rows))
