"""Make the sample deal files: seeded, planted themes, byte-identical on every run.

A deal is drawn from one theme (content category x environment x audience), from two (a bridge) or from
none (noise). Which one it was is returned beside the deals and never written into them or to disk.
Run `python -m sample_data.generate` to rewrite the files next to this module.
"""

from __future__ import annotations

import csv
import io
import json
import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

Deal = dict[str, Any]
Path3 = tuple[str, str | None, str | None]

HERE = Path(__file__).resolve().parent
TAXONOMY_FILE = HERE.parent / "core" / "deals" / "data" / "content_taxonomy_3.1.tsv"

TODAY = date(2026, 11, 22)
FIRST_DAY = date(2026, 9, 1)
LAST_DAY = date(2027, 6, 30)

BRIDGE_SHARE = 0.12
NOISE_SHARE = 0.05
SMALLEST_THEME = 5
SIZE_DECAY = 0.89  # each theme's share of the deals beyond SMALLEST_THEME against the next larger one

LIST_SEPARATOR = " | "
LIST_COLUMNS = frozenset(
    {"concepts", "publishers", "device", "geos", "safety_safe_for_verticals", "audience_inferred_audience"}
)
COLUMNS: tuple[str, ...] = (
    "deal_id",
    "deal_name",
    "ssp_name",
    "format",
    "taxonomy_tier1",
    "taxonomy_tier2",
    "taxonomy_tier3",
    "concepts",
    "safety_garm_risk_rating",
    "safety_family_safe",
    "safety_safe_for_verticals",
    "audience_inferred_audience",
    "audience_demographic_hint",
    "audience_audience_provenance",
    "commercial_quality_tier",
    "commercial_volume_tier",
    "commercial_floor_price",
    "publishers",
    "device",
    "geos",
    "currency",
    "price_type",
    "start_time",
    "end_time",
    "status",
    "description",
    "source",
    "scale",
    "scale_unit",
    "period",
)


@dataclass(frozen=True, slots=True)
class GeneratedDeals:
    """Deals and, index by index, the theme names each was drawn from.

    truth[i]: () = noise, one name = core deal, two names = bridge.
    """

    deals: list[Deal]
    truth: list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class SampleFile:
    """One draw and the file names it is written to."""

    stem: str
    seed: int
    themes: int
    deals: int
    with_csv: bool


SAMPLE_FILES = (
    SampleFile("deals", seed=20261122, themes=36, deals=800, with_csv=True),
    SampleFile("deals_small", seed=19710, themes=6, deals=60, with_csv=False),
)


# --- shared wording: environments, sellers, markets, safety -------------------------------------------


@dataclass(frozen=True, slots=True)
class Environment:
    """Where the ad runs: format wording, devices, price level.

    floor: lowest, highest and step, CPM in the deal's own currency.
    quality: weights of Premium, Mid-tier, RON.
    """

    format: str
    format_variants: tuple[str, ...]
    name_words: tuple[str, ...]
    devices: tuple[tuple[str, ...], ...]
    floor: tuple[float, float, float]
    quality: tuple[int, int, int]


ENVIRONMENTS: dict[str, Environment] = {
    "ctv": Environment(
        "video",
        ("CTV", "Video", "VIDEO", "OTT", "ctv"),
        ("CTV", "CTV", "OTT", "Streaming TV", "FAST"),
        (("ctv",), ("ctv",), ("ctv",), ("ctv", "stb"), ("ctv", "connected")),
        (12.0, 40.0, 0.5),
        (65, 30, 5),
    ),
    "olv": Environment(
        "video",
        ("olv", "Video", "instream", "OLV"),
        ("OLV", "Video", "Instream Video", "Online Video"),
        (("desktop", "mobile"), ("desktop", "phone", "tablet"), ("mobile",), ("desktop",)),
        (6.0, 15.0, 0.25),
        (40, 45, 15),
    ),
    "display": Environment(
        "display",
        ("Display", "banner", "DISPLAY", "Banner"),
        ("Display", "Banner", "High Impact Display", "Web Display"),
        (("desktop", "mobile"), ("desktop", "phone", "tablet"), ("mobile",), ("desktop",)),
        (0.8, 5.0, 0.05),
        (25, 50, 25),
    ),
    "audio": Environment(
        "audio",
        ("Audio", "AUDIO"),
        ("Audio", "Streaming Audio", "Podcast", "Digital Audio"),
        (("mobile", "connected"), ("phone",), ("mobile", "desktop"), ("connected",)),
        (5.0, 12.0, 0.25),
        (45, 45, 10),
    ),
    "native": Environment(
        "native",
        ("Native", "NATIVE"),
        ("Native", "In-Feed Native", "Content Native"),
        (("desktop", "mobile"), ("mobile",), ("phone", "tablet"), ("desktop",)),
        (2.0, 8.0, 0.1),
        (30, 50, 20),
    ),
}


@dataclass(frozen=True, slots=True)
class Ssp:
    """A seller platform. id_pattern: `#` = digit, `?` = capital letter or digit, the rest literal."""

    name: str
    code: str
    id_pattern: str
    environments: str


SSPS: tuple[Ssp, ...] = (
    Ssp("Google Ad Manager", "GAM", "5#################", "ctv olv display audio native"),
    Ssp("Google Ad Manager", "GAM", "6#################", "olv display native"),
    Ssp("Magnite", "MGNI", "MGNI-CH-####-?????", "ctv olv display audio"),
    Ssp("PubMatic", "PM", "PM-????-####", "ctv olv display native audio"),
    Ssp("Index Exchange", "IX", "IX##############", "ctv olv display native audio"),
    Ssp("Index Exchange", "IX", "1#########", "olv display"),
    Ssp("OpenX", "OX", "OX-???-??????", "ctv olv display native"),
    Ssp("Microsoft Monetize", "MSFT", "00#####", "ctv olv display native"),
    Ssp("Xandr", "XNDR", "########", "ctv olv display native"),
    Ssp("FreeWheel", "FW", "FW-#######", "ctv ctv olv"),
    Ssp("TripleLift", "TL", "TL-??##-#####", "native native display ctv"),
    Ssp("Sharethrough", "STR", "STR-????????", "native native olv display"),
    Ssp("BidSwitch", "BSW", "3#####", "ctv olv display native audio"),
    Ssp("Equativ", "EQTV", "0#######", "olv display ctv"),
    Ssp("Teads", "TEADS", "##E#####", "olv native"),
    Ssp("Triton Digital", "TRTN", "TRITON-####-???", "audio audio"),
    Ssp("AdsWizz", "AWZ", "AWZ_######", "audio audio"),
)


@dataclass(frozen=True, slots=True)
class Market:
    """Countries a deal is sold in and the currency its floor is quoted in."""

    label: str
    geos: tuple[str, ...]
    currency: str


MARKETS: dict[str, Market] = {
    "us": Market("US", ("US",), "USD"),
    "na": Market("NAM", ("US", "CA"), "USD"),
    "gb": Market("UK", ("GB",), "GBP"),
    "uki": Market("UKI", ("GB", "IE"), "GBP"),
    "dach": Market("DACH", ("DE", "AT", "CH"), "EUR"),
    "fr": Market("FR", ("FR",), "EUR"),
    "eu5": Market("EU5", ("GB", "DE", "FR", "IT", "ES"), "EUR"),
    "anz": Market("ANZ", ("AU", "NZ"), "USD"),
    "latam": Market("LATAM", ("MX", "BR", "CO"), "USD"),
    "ssa": Market("Southern Africa", ("ZA", "NA", "BW"), "USD"),
}
US_ONLY = ("us",) * 6 + ("na",)
WORLD = ("us",) * 9 + ("na",) * 3 + ("gb", "gb", "uki", "dach", "fr", "eu5", "anz", "latam")


@dataclass(frozen=True, slots=True)
class SafetyProfile:
    """How a kind of content is rated.

    rank: the strictest part of a bridge decides. risk: weights of Low, Medium, High, Floor.
    """

    rank: int
    risk: tuple[int, int, int, int]
    family_safe_share: float
    verticals: tuple[str, ...]


_ADVERTISERS = ("Automotive", "CPG", "Finance", "Retail", "Travel", "Technology", "Entertainment", "QSR")
SAFETY: dict[str, SafetyProfile] = {
    "kids": SafetyProfile(0, (100, 0, 0, 0), 1.0, ("CPG", "Retail", "Toys", "Entertainment", "QSR")),
    "general": SafetyProfile(1, (84, 15, 1, 0), 0.93, _ADVERTISERS),
    "health": SafetyProfile(2, (50, 48, 2, 0), 0.7, ("Health", "Pharma", "CPG", "Insurance", "Retail")),
    "unmoderated": SafetyProfile(3, (65, 20, 5, 10), 0.6, ("Technology", "Retail", "CPG", "Telecom")),
    "mature": SafetyProfile(4, (20, 62, 16, 2), 0.2, ("Technology", "Entertainment", "Retail", "Finance")),
    "alcohol": SafetyProfile(5, (0, 75, 25, 0), 0.0, ("Alcohol", "Entertainment", "Travel", "QSR")),
    "news": SafetyProfile(6, (0, 60, 35, 5), 0.15, ("Finance", "Political", "Technology", "Telecom")),
    "gambling": SafetyProfile(7, (0, 30, 60, 10), 0.0, ("Gambling", "Entertainment", "Alcohol")),
}
RISK_RATINGS = ("Low", "Medium", "High", "Floor")
NEVER_WITH_KIDS = frozenset({"alcohol", "news", "gambling", "mature", "health"})


# --- themes -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Theme:
    """One planted group of deals: what it is about, where it runs, whom it reaches.

    categories: Content Taxonomy paths, tiers joined by " > ". labels: words for deal names.
    """

    name: str
    environment: str
    labels: tuple[str, ...]
    categories: tuple[str, ...]
    concepts: tuple[str, ...]
    audiences: tuple[str, ...]
    demographics: tuple[str, ...]
    publishers: tuple[str, ...]
    safety: str = "general"
    markets: tuple[str, ...] = WORLD


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split("; "))


def _theme(
    name: str, environment: str, *lists: str, safety: str = "general", markets: tuple[str, ...] = WORLD
) -> Theme:
    """Read one row of the table below: lists are labels .. publishers of Theme, items joined by "; "."""
    labels, categories, concepts, audiences, demographics, publishers = map(_words, lists)
    return Theme(
        name, environment, labels, categories, concepts, audiences, demographics, publishers, safety, markets
    )


THEMES: tuple[Theme, ...] = (
    _theme(
        "luxury-auto-ctv",
        "ctv",
        "Auto; Luxury Auto; Premium Auto; Auto Intenders",
        "Automotive > Auto Type > Luxury Cars; Automotive > Auto Type > Performance Cars",
        "auto; luxury; premium; performance cars; test drive; new models; car reviews; driving; sports cars; "
        "dealership; leasing",
        "Auto Intenders; Luxury Shoppers; In-Market Luxury SUV; Affluent Households; Car Enthusiasts",
        "25-54, High Income; A35-64, HHI $150K+; M35+, Affluent",
        "MotorTrend; Paramount+; Disney+; Discovery Channel; NBC Sports; Top Gear; Peacock; Bloomberg TV",
    ),
    _theme(
        "auto-parts-display",
        "display",
        "Auto Parts; Car Repair; DIY Auto; Auto Aftermarket",
        "Automotive > Auto Parts; Automotive > Auto Repair",
        "auto parts; car repair; DIY; tires; brakes; engine oil; garage; maintenance; mechanics; used cars; "
        "warranty",
        "Auto DIYers; Auto Parts Buyers; Used Car Owners; Truck Owners; Home Mechanics",
        "M25-54; 25-64, Middle Income; Homeowners, M35+",
        "Edmunds; Autoblog; Car and Driver; Cars.com; RepairPal; Autotrader; Hot Rod; CarGurus",
    ),
    _theme(
        "electric-vehicles-olv",
        "olv",
        "EV; Electric Vehicles; Green Auto; EV Intenders",
        "Automotive > Auto Type > Green Vehicles; Automotive > Auto Technology",
        "electric vehicles; EV; charging; battery range; hybrid; sustainability; clean energy; "
        "new car launch; car tech; range anxiety; tax credit",
        "EV Intenders; Eco-Conscious Consumers; Early Adopters; New Car Shoppers; Hybrid Owners",
        "25-49, Urban; A25-54, College Educated; HHI $100K+",
        "Electrek; InsideEVs; The Verge; CNET; Kelley Blue Book; Green Car Reports; Wired",
    ),
    _theme(
        "soccer-ctv",
        "ctv",
        "Soccer; Live Soccer; Football; World Football",
        "Sports > Soccer",
        "soccer; live sports; premier league; champions league; football highlights; match day; goals; "
        "world cup; club football; stadium; transfer window",
        "Soccer Fans; Live Sports Viewers; Champions League Followers; Multicultural Sports Fans; "
        "World Cup Viewers",
        "M18-49; 18-44, Sports Households; A21-54",
        "fuboTV; DAZN; beIN Sports; Sky Sports; TUDN; Paramount+; Fox Soccer Plus; TNT Sports",
    ),
    _theme(
        "american-football-ctv",
        "ctv",
        "NFL; Sports; Pro Football; College Football",
        "Sports > American Football; Sports > College Sports > College Football",
        "american football; NFL; touchdown; live sports; sunday night; college football; super bowl; "
        "tailgate; playoffs; game day; quarterback; draft night",
        "NFL Fans; College Football Fans; Live Sports Viewers; Tailgaters; Cord Cutters",
        "M25-54; A18-49, Sports Households; M21-34",
        "ESPN; Fox Sports; NBC Sports; NFL Network; CBS Sports; Peacock; Prime Video; SEC Network",
        markets=US_ONLY,
    ),
    _theme(
        "basketball-olv",
        "olv",
        "Basketball; NBA; Hoops; March Madness",
        "Sports > Basketball; Sports > College Sports > College Basketball",
        "basketball; NBA; hoops; highlights; march madness; slam dunk; sneakers; player interviews; "
        "playoffs; draft",
        "NBA Fans; Sneakerheads; College Basketball Fans; Young Sports Fans; Streetwear Shoppers",
        "M18-34; 18-34, Multicultural; A18-44",
        "Bleacher Report; NBA.com; ESPN.com; SLAM; Overtime; Yahoo Sports; The Ringer",
        markets=US_ONLY,
    ),
    _theme(
        "golf-display",
        "display",
        "Golf; PGA; Golf Affluent; Golf Lifestyle",
        "Sports > Golf",
        "golf; golf clubs; PGA tour; golf courses; country club; leaderboard; swing tips; ryder cup; "
        "golf travel; putting",
        "Golfers; Affluent Males; Country Club Members; C-Suite Executives; Golf Equipment Buyers",
        "M45+, High Income; A45-64, HHI $200K+; M35-64",
        "Golf Digest; Golf.com; Golf Channel; PGA Tour; GolfWRX; Golfweek; Today's Golfer",
    ),
    _theme(
        "sports-talk-audio",
        "audio",
        "Sports Talk; Sports Radio; Sports Podcasts",
        "Genres > Sports Radio; Sports > Fantasy Sports",
        "sports talk; sports podcasts; live commentary; fantasy sports; post game; hot takes; drive time; "
        "locker room; trade rumors",
        "Sports Radio Listeners; Fantasy Sports Players; Commuters; Podcast Listeners",
        "M25-54; M18-49, Commuters; A25-54",
        "SiriusXM; ESPN Radio; TuneIn; The Athletic; Audacy; talkSPORT; Barstool Sports; iHeartRadio",
    ),
    _theme(
        "kids-channels-ctv",
        "ctv",
        "Kids; Kids and Family; Kids CTV; Children's TV",
        "Genres > Family/Children; Genres > Animation & Anime",
        "kids; cartoons; animation; preschool; children's shows; family co-viewing; learning; "
        "nursery rhymes; superheroes; saturday morning; puppets; story time",
        "Families with Children; Kids Co-Viewing; Parents of Preschoolers; Households with Kids 2-11; "
        "Family Co-Viewers",
        "K2-11, Co-viewing; Parents 25-44; Households with children",
        "Nickelodeon; Cartoon Network; Disney Junior; PBS Kids; Kidoodle.TV; Boomerang; Happy Kids; "
        "Moonbug Kids",
        safety="kids",
    ),
    _theme(
        "toys-olv",
        "olv",
        "Toys; Kids Toys; Toy Unboxing; Kids and Toys",
        "Shopping > Children's Games and Toys; "
        "Hobbies & Interests > Games and Puzzles > Board Games and Puzzles",
        "toys; toy unboxing; building bricks; dolls; board games; gift ideas; kids crafts; playtime; "
        "collectible toys; dress up",
        "Toy Shoppers; Moms with Kids; Gift Givers; Parents of School-Age Kids",
        "Parents 25-49; W25-44 with children; Grandparents 55+",
        "PocketWatch; The Toy Insider; LEGO; Ryan's World; Hasbro; SuperAwesome; Kidzworld; Tinybop",
        safety="kids",
    ),
    _theme(
        "parenting-native",
        "native",
        "Parenting; New Parents; Moms; Family Life",
        "Family and Relationships > Parenting > Parenting Babies and Toddlers; "
        "Family and Relationships > Parenting > Parenting Children Aged 4-11; "
        "Family and Relationships > Parenting > Daycare and Pre-School",
        "parenting; baby; pregnancy; toddlers; breastfeeding; baby names; school lunches; family routines; "
        "sleep training; diapers; potty training",
        "New Moms; Expecting Parents; Millennial Parents; Baby Product Buyers",
        "W25-40; Parents 25-44; W18-34, Expecting",
        "BabyCenter; What to Expect; Parents; Scary Mommy; Mumsnet; The Bump; Fatherly; Motherly",
    ),
    _theme(
        "politics-news-ctv",
        "ctv",
        "News; Politics; Live News; Election News",
        "Politics > Elections; Politics > Political Issues & Policy",
        "news; politics; breaking news; election coverage; congress; debates; opinion; white house; polling; "
        "world news; town hall",
        "News Junkies; Likely Voters; Opinion Leaders; Politically Engaged Adults; Swing State Voters",
        "A35+; A45-64, Registered Voters; A50+",
        "CNN; Fox News; MSNBC; NewsNation; Newsmax; CBS News; ABC News Live; Sky News",
        safety="news",
        markets=US_ONLY,
    ),
    _theme(
        "business-news-display",
        "display",
        "Business News; Business Decision Makers; Markets and Economy",
        "Business and Finance > Economy > Interest Rates; Business and Finance > Economy > Commodities; "
        "Business and Finance > Business > Executive Leadership & Management",
        "business news; economy; markets; leadership; earnings; inflation; central banks; c-suite; mergers; "
        "global trade",
        "Business Decision Makers; C-Suite; Opinion Leaders; Finance Professionals",
        "A35-64, HHI $150K+; Professionals 30-59; M35+, Affluent",
        "The Wall Street Journal; Bloomberg; Financial Times; Forbes; CNBC; The Economist; Fortune",
    ),
    _theme(
        "investing-native",
        "native",
        "Investing; Personal Finance; Wealth; Retirement",
        "Personal Finance > Personal Investing > Stocks and Bonds; "
        "Personal Finance > Personal Investing > Mutual Funds; Personal Finance > Retirement Planning",
        "investing; stocks; retirement; savings; ETFs; portfolio; wealth management; 401k; dividends; "
        "financial advice; annuities",
        "Active Investors; Retirement Planners; Mass Affluent; Robo-Advisor Users",
        "A45+; A30-64, Investable Assets $250K+; A55+, Pre-retirees",
        "MarketWatch; Investopedia; Motley Fool; Kiplinger; Barron's; NerdWallet; Seeking Alpha",
    ),
    _theme(
        "sports-betting-olv",
        "olv",
        "Sports Betting; Betting; Odds and Picks; iGaming",
        "Sports > Poker and Professional Gambling; Attractions > Casinos & Gambling",
        "sports betting; odds; sportsbook; picks; gambling; parlay; wager; poker; betting tips; "
        "horse racing; bonus bets",
        "Sports Bettors; Online Gamblers; Poker Players; Daily Fantasy Players",
        "M21-44; 21+, Legal betting states; M25-49, Gambling age-verified",
        "Action Network; Covers; OddsChecker; PokerNews; Bleacher Nation; VSiN; Racing Post; RotoGrinders",
        safety="gambling",
    ),
    _theme(
        "social-casino-display",
        "display",
        "Social Casino; Casino Games; Slots; Lottery",
        "Video Gaming > Video Game Genres > Casino and Gambling Video Games; "
        "Shopping > Lotteries and Scratchcards",
        "casino; slots; bingo; lottery; jackpot; scratchcards; free spins; blackjack; in-app; rewards",
        "Casino Gamers; Lottery Players; Bingo Fans; In-App Spenders",
        "A35-64; W45+, Casual gamers; 21+",
        "Slotomania; Zynga Poker; DoubleDown Casino; Bingo Blitz; Lottery.com; Huuuge Casino; "
        "Big Fish Casino; Caesars Slots",
        safety="gambling",
    ),
    _theme(
        "wine-spirits-ctv",
        "ctv",
        "Wine and Spirits; Alcohol; Beer and Spirits; 21+ Social",
        "Food & Drink > Alcoholic Beverages; Attractions > Bars & Restaurants; Attractions > Nightclubs",
        "wine; craft beer; whiskey; cocktails; spirits; happy hour; vineyard; tequila; nightlife; mixology; "
        "bar culture; brewery",
        "Wine Enthusiasts; Spirits Drinkers; Craft Beer Fans; Social Entertainers",
        "A21-54; 21+, High Income; A25-44, Urban",
        "VICE TV; Tastemade; Bravo; Food Network; Comedy Central; AMC; Cheddar; Crackle",
        safety="alcohol",
    ),
    _theme(
        "home-cooking-olv",
        "olv",
        "Food; Cooking; Recipes; Home Cooks",
        "Food & Drink > Cooking; Food & Drink > Desserts and Baking; "
        "Food & Drink > Healthy Cooking and Eating",
        "cooking; recipes; baking; meal prep; quick dinners; healthy eating; chefs; kitchen tips; "
        "holiday recipes; comfort food; air fryer",
        "Home Cooks; Grocery Shoppers; Foodies; Healthy Eaters; Baking Enthusiasts",
        "W25-54; A25-54, Main grocery shopper; Families 25-49",
        "Allrecipes; Delish; Bon Appetit; Food52; BBC Good Food; Tasty; Epicurious; Serious Eats",
    ),
    _theme(
        "beauty-native",
        "native",
        "Beauty; Skincare; Makeup; Beauty and Wellness",
        "Style & Fashion > Beauty > Skin Care; Style & Fashion > Beauty > Makeup and Accessories; "
        "Style & Fashion > Beauty > Hair Care",
        "beauty; skincare; makeup; hair care; anti-aging; clean beauty; tutorials; fragrance; "
        "product reviews; self-care",
        "Beauty Shoppers; Skincare Enthusiasts; Prestige Beauty Buyers; Gen Z Beauty; Clean Beauty Shoppers",
        "W18-44; W18-34; W25-54, Mid-High Income",
        "Allure; Byrdie; Refinery29; Glamour; Cosmopolitan; PopSugar; Into The Gloss",
    ),
    _theme(
        "designer-fashion-display",
        "display",
        "Fashion; Luxury Fashion; Designer Style; High Fashion",
        "Style & Fashion > High Fashion; Style & Fashion > Designer Clothing; "
        "Style & Fashion > Women's Fashion > Women's Accessories",
        "fashion; designer; runway; couture; handbags; fashion week; jewelry; street style; luxury brands; "
        "watches",
        "Luxury Fashion Shoppers; Fashionistas; Affluent Women; Designer Handbag Buyers",
        "W25-54, High Income; A25-44, Affluent; W35+, HHI $150K+",
        "Vogue; Harper's Bazaar; ELLE; Vanity Fair; Who What Wear; Net-a-Porter; Business of Fashion",
    ),
    _theme(
        "beach-cruise-ctv",
        "ctv",
        "Travel; Beach Vacations; Cruises; Leisure Travel",
        "Travel > Travel Type > Beach Travel; Travel > Travel Type > Cruises; "
        "Travel > Travel Type > Honeymoons and Getaways",
        "travel; beach; cruises; resorts; vacation; caribbean; all-inclusive; honeymoon; islands; getaway",
        "Leisure Travelers; Cruise Intenders; Vacation Planners; Empty Nesters",
        "A35-64; A50+, Empty nesters; Couples 25-54",
        "Travel Channel; Samsung TV Plus; Pluto TV; GoTraveler; National Geographic; Roku Channel; Tubi",
    ),
    _theme(
        "business-travel-display",
        "display",
        "Business Travel; Frequent Flyers; Hotels and Air",
        "Travel > Travel Type > Business Travel; Travel > Travel Type > Air Travel; "
        "Travel > Travel Type > Hotels and Motels",
        "business travel; airlines; hotels; frequent flyer; airport lounges; loyalty points; conferences; "
        "car rental; business class",
        "Frequent Business Travelers; Loyalty Program Members; Road Warriors; Corporate Travel Managers",
        "A30-59, Professionals; A35-64, HHI $125K+; M30-54",
        "The Points Guy; Skift; Tripadvisor; FlightAware; Business Traveller; Expedia; Kayak",
    ),
    _theme(
        "adventure-travel-native",
        "native",
        "Adventure Travel; Outdoor Travel; Safari; Explorers",
        "Travel > Travel Type > Adventure Travel; Travel > Travel Locations > Africa Travel; "
        "Travel > Travel Type > Camping",
        "adventure travel; safari; hiking; national parks; backpacking; camping; wildlife; trekking; "
        "bucket list; ecotourism; road trips",
        "Adventure Travelers; Outdoor Enthusiasts; Backpackers; Eco Travelers",
        "A25-44; A18-34, Singles; A30-54, College Educated",
        "Lonely Planet; Outside; Backpacker; Atlas Obscura; AFAR; Matador Network; REI Co-op Journal",
        markets=("us", "us", "na", "gb", "ssa", "ssa", "anz"),
    ),
    _theme(
        "home-improvement-ctv",
        "ctv",
        "Home Improvement; Home and Garden; Renovation; Homeowners",
        "Home & Garden > Home Improvement; Home & Garden > Remodeling & Construction; "
        "Home & Garden > Interior Decorating",
        "home improvement; renovation; DIY projects; house flipping; interior design; kitchen remodel; "
        "home decor; tools; landscaping; before and after",
        "Homeowners; DIYers; Recent Movers; Home Renovators; First-Time Home Buyers",
        "A35-64, Homeowners; W35-54; 25-54, HHI $75K+",
        "HGTV; Magnolia Network; This Old House; Bob Vila; A&E; Hearst TV; Philo",
    ),
    _theme(
        "console-gaming-olv",
        "olv",
        "Gaming; Console Gaming; Gamers; eSports",
        "Video Gaming > Console Games; Video Gaming > eSports; Video Gaming > PC Games",
        "gaming; console; esports; walkthroughs; game trailers; playstation; xbox; livestream; game reviews; "
        "PC gaming; tournaments",
        "Core Gamers; Console Owners; eSports Fans; Gen Z Males; Streaming Viewers",
        "M18-34; 18-24; A18-34",
        "IGN; GameSpot; Twitch; Kotaku; Polygon; Eurogamer; GamesRadar; PC Gamer",
    ),
    _theme(
        "casual-games-olv",
        "olv",
        "Mobile Games; Casual Gaming; In-App Rewarded; Puzzle Games",
        "Video Gaming > Mobile Games; Video Gaming > Video Game Genres > Puzzle Video Games; "
        "Video Gaming > Video Game Genres > Casual Games",
        "mobile games; casual games; puzzle; rewarded video; in-app; match three; word games; trivia; "
        "solitaire",
        "Casual Gamers; Puzzle Players; Women Mobile Gamers; App Installers",
        "W25-54; A35+, Smartphone users; W35-64",
        "Zynga; King; Words With Friends; Playrix; MobilityWare; Jam City; Peak Games",
    ),
    _theme(
        "true-crime-audio",
        "audio",
        "True Crime; Crime Podcasts; Mystery Podcasts",
        "Genres > True Crime; Genres > Mystery",
        "true crime; podcasts; investigation; cold cases; murder mystery; detectives; storytelling; "
        "courtroom; forensics",
        "True Crime Fans; Podcast Listeners; Mystery Lovers; Female Podcast Listeners",
        "W25-54; W18-44; A25-54",
        "Wondery; Audiochuck; Parcast; Spotify; Acast; Exactly Right; Crime Junkie; Casefile",
        safety="mature",
    ),
    _theme(
        "pop-music-audio",
        "audio",
        "Pop Music; Top 40; Music Streaming; Hit Music",
        "Entertainment > Music > Contemporary Hits/Pop/Top 40; Entertainment > Music > Hip Hop Music; "
        "Entertainment > Music > Dance and Electronic Music",
        "pop music; playlists; top 40; hip hop; new releases; streaming music; concerts; party; dance; "
        "chart hits; festivals",
        "Music Streamers; Gen Z Listeners; Concert Goers; Hip Hop Fans; Festival Goers",
        "A18-34; 18-24, Students; A18-44",
        "Spotify; Pandora; iHeartRadio; Deezer; SoundCloud; Capital FM; Audiomack",
    ),
    _theme(
        "country-music-audio",
        "audio",
        "Country Music; Country Radio; Country Lifestyle",
        "Entertainment > Music > Country Music",
        "country music; nashville; americana; honky tonk; rodeo; country radio; grand ole opry; "
        "pickup trucks; bluegrass",
        "Country Music Fans; Rural Households; Truck Owners; Southern Lifestyle",
        "A35-64; A25-54, Rural; A45+",
        "Cumulus Media; Westwood One; iHeartCountry; Townsquare Media; SiriusXM The Highway; Audacy",
        markets=US_ONLY,
    ),
    _theme(
        "reality-tv-ctv",
        "ctv",
        "Reality TV; Entertainment; Unscripted; Celebrity TV",
        "Genres > Reality TV; Genres > Talk Show; Pop Culture > Celebrity Relationships",
        "reality tv; celebrity; dating shows; talent shows; housewives; drama; unscripted; gossip; "
        "talk shows; competition",
        "Reality TV Fans; Entertainment Enthusiasts; Celebrity Followers; Binge Watchers",
        "W18-49; W25-54; A18-34",
        "Bravo; E! Entertainment; MTV; VH1; Hayu; TLC; ITVX; Xumo",
        safety="mature",
    ),
    _theme(
        "fitness-olv",
        "olv",
        "Fitness; Health and Fitness; Workout; Wellness",
        "Healthy Living > Fitness and Exercise > Running and Jogging; Healthy Living > Fitness and Exercise; "
        "Healthy Living > Nutrition",
        "fitness; workout; running; yoga; nutrition; gym; strength training; weight loss; wellness; "
        "marathon; recovery",
        "Fitness Enthusiasts; Gym Members; Runners; Health-Conscious Adults; Wearable Owners",
        "A18-44; W25-44; A25-54, Active lifestyle",
        "Men's Health; Women's Health; Runner's World; SELF; Shape; Strava; Well+Good",
    ),
    _theme(
        "health-conditions-display",
        "display",
        "Health; Condition Health; Rx and Health; Patients",
        "Medical Health > Diseases and Conditions > Diabetes; "
        "Medical Health > Diseases and Conditions > Heart and Cardiovascular Diseases; "
        "Medical Health > Diseases and Conditions > Allergies; Medical Health > Pharmaceutical Drugs",
        "health conditions; diabetes; heart health; symptoms; treatment; prescription; allergies; "
        "caregivers; doctor advice; blood pressure; clinical trials",
        "Diabetes Patients; Caregivers; Health Information Seekers; Allergy Sufferers",
        "A50+; A45-64; A65+, Medicare",
        "WebMD; Healthline; Everyday Health; Mayo Clinic; Medical News Today; Verywell Health; Drugs.com",
        safety="health",
    ),
    _theme(
        "dogs-cats-native",
        "native",
        "Pets; Pet Owners; Dog Lovers; Pet Care",
        "Pets > Dogs; Pets > Cats; Pets > Pet Supplies",
        "pets; dogs; cats; puppy training; pet food; veterinarian; pet adoption; grooming; pet insurance",
        "Dog Owners; Cat Owners; Pet Parents; Pet Food Shoppers; New Puppy Owners",
        "W25-54; A25-54, Pet households; A35-64",
        "The Dodo; PetMD; Chewy; American Kennel Club; Rover; Daily Paws; Catster",
    ),
    _theme(
        "enterprise-tech-display",
        "display",
        "B2B Tech; IT Decision Makers; Enterprise Tech; Cloud and AI",
        "Technology & Computing > Computing > Information and Network Security; "
        "Technology & Computing > Computing > Computer Software and Applications; "
        "Technology & Computing > Artificial Intelligence",
        "enterprise software; cloud; cybersecurity; artificial intelligence; data center; devops; SaaS; "
        "digital transformation; IT infrastructure; machine learning; open source",
        "IT Decision Makers; Developers; CIOs; B2B Tech Buyers; Security Professionals",
        "Professionals 25-54; M25-54, College Educated; A30-59",
        "TechCrunch; ZDNET; InfoWorld; Ars Technica; VentureBeat; The Register; Dark Reading; Heise",
    ),
    _theme(
        "real-estate-display",
        "display",
        "Real Estate; Home Buyers; Property; Movers",
        "Real Estate > Real Estate Buying and Selling; Real Estate > Houses; Real Estate > Apartments",
        "real estate; home buying; mortgage; apartments; listings; moving; housing market; renting; "
        "open house; neighborhoods",
        "Home Buyers; Recent Movers; Renters; Mortgage Shoppers",
        "A25-44; A30-54, HHI $75K+; First-time buyers 25-39",
        "Zillow; Realtor.com; Redfin; Trulia; Rightmove; Apartments.com; Homes.com",
    ),
    _theme(
        "holiday-shopping-display",
        "display",
        "Holiday Shopping; Retail; BFCM Deals; Gift Guide",
        "Shopping > Holiday Shopping; Shopping > Coupons and Discounts; Shopping > Sales and Promotions",
        "holiday shopping; black friday; cyber monday; coupons; gift guide; bargains; price comparison; "
        "online retail; free shipping; cashback; doorbusters",
        "Holiday Shoppers; Bargain Hunters; Online Shoppers; Gift Givers; Coupon Users",
        "W25-54; A18-54; A25-64, Main shopper",
        "RetailMeNot; Slickdeals; Wirecutter; BuzzFeed Shopping; Groupon; Ebay; Honey",
    ),
)

STRAY_CONCEPTS = _words(
    "run of network; long tail; mixed content; open web; utility apps; user generated; bundle; "
    "evergreen content; high viewability; reference; community; q&a; tools; archive"
)
STRAY_PUBLISHERS = _words(
    "Reddit; Quora; wikiHow; Imgur; Softonic; Dailymotion; Yahoo; MSN; AOL; Fandom; Answers.com; "
    "Dictionary.com; Medium; Flipboard; Opera News; Truecaller"
)


# --- deal wording -------------------------------------------------------------------------------------

NAME_TEMPLATES = (
    "{quality} {env} {label} Inventory",
    "{code}_{geo}_{env_}_{label_}_Q{quarter}_{year}",
    "{geo} {env} {label} PMP",
    "PMP - {label} - {env} - {geo}",
    "{label} {env} - {ssp}",
    "{publisher} {label} {env}",
    "{ssp} {label} {env} {geo} Q{quarter} {year}",
    "{audience} {env} {geo}",
    "{label} {env} Curated Marketplace",
    "[Always On] {geo} {label} {env}",
    "{code}_{label_}_{env_}_{geo}_AO",
    "{quality} {label} Audience Deal {geo}",
)
GENERIC_NAMES = (
    "Deal {number}",
    "RON {env}",
    "Test",
    "PMP Deal {small}",
    "Preferred Deal {number}",
    "New deal (copy)",
    "ROS {env} {geo}",
    "Untitled",
    "{ssp} Deal {number}",
    "Q{quarter} PMP",
)
DESCRIPTIONS = (
    "{env} inventory from {publishers}. Reaches {audience}.",
    "{label} supply on {ssp}: {concepts}.",
    "Curated {label} placements, {geo}. Viewability above 70%.",
    "Always-on {env} deal for brands targeting {audience}. Contact your {ssp} account team for packaging.",
    "{publishers} and partners: {concepts}.",
)
SOURCES = ("ssp_console_export", "deal_library", "api_sync", "seller_email", "curation_request")
PROVENANCE = ("publisher declared", "SSP modelled", "contextual inference", "panel", "advertiser first party")
VOLUME_SCALE = {"High": (8, 11), "Medium": (6, 8), "Low": (4, 6)}
SCALE_UNITS = (
    ("impressions", "month"),
    ("impressions", "week"),
    ("bid_requests", "day"),
    ("weekly_avails", "week"),
    ("uniques", "month"),
)

GENERIC_NAME_SHARE = 0.08
FORMAT_VARIANT_SHARE = 0.12
EXTRA_SPACE_SHARE = 0.02
STALE_YEAR_SHARE = 0.06  # of the names that carry a year
EVERGREEN_SHARE = 0.2
EXPIRED_SHARE = 0.04
ZERO_FLOOR_SHARE = 0.01
TWO_FORMATS_SHARE = 0.3  # of the bridges whose themes differ in format
PAUSED_SHARE = 0.06
NULL_WRITER_SHARE = 0.5  # of the deals: write null for what is missing; the others leave the key out


@dataclass(frozen=True, slots=True)
class Gap:
    """Values that real files lack together: dotted paths and the share of deals without them."""

    paths: tuple[str, ...]
    share: float


GAPS: tuple[Gap, ...] = (
    Gap(("taxonomy",), 0.03),
    Gap(("taxonomy.tier2", "taxonomy.tier3"), 0.06),
    Gap(("taxonomy.tier3",), 0.15),
    Gap(("concepts",), 0.03),
    Gap(("safety",), 0.04),
    Gap(("safety.garm_risk_rating",), 0.03),
    Gap(("safety.family_safe",), 0.08),
    Gap(("safety.safe_for_verticals",), 0.4),
    Gap(("audience",), 0.05),
    Gap(("audience.demographic_hint",), 0.15),
    Gap(("audience.audience_provenance",), 0.3),
    Gap(("commercial.floor_price",), 0.1),
    Gap(("commercial.quality_tier",), 0.03),
    Gap(("commercial.volume_tier",), 0.05),
    Gap(("publishers",), 0.04),
    Gap(("device",), 0.2),
    Gap(("geos",), 0.1),
    Gap(("currency",), 0.1),
    Gap(("price_type",), 0.12),
    Gap(("start_time",), 0.05),
    Gap(("status",), 0.06),
    Gap(("description",), 0.5),
    Gap(("source",), 0.35),
    Gap(("scale", "scale_unit", "period"), 0.4),
    Gap(("period",), 0.2),
)


# --- taxonomy -----------------------------------------------------------------------------------------


@cache
def read_category_paths() -> frozenset[Path3]:
    """Return every (tier1, tier2, tier3) path of the IAB Content Taxonomy 3.1; None = no such tier.

    The file has a title line above its header and no quoting.
    """
    with TAXONOMY_FILE.open(encoding="utf-8", newline="") as file:
        next(file)
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return frozenset((row["Tier 1"], row["Tier 2"] or None, row["Tier 3"] or None) for row in rows)


def _category_path(category: str) -> Path3:
    """Look a " > " path up in the taxonomy. Raises ValueError when IAB has no such path."""
    tiers: list[str | None] = [*category.split(" > "), None, None]
    path = (str(tiers[0]), tiers[1], tiers[2])
    if path not in read_category_paths():
        message = f"{category!r} is not a path of {TAXONOMY_FILE.name}; correct the THEMES table"
        raise ValueError(message)
    return path


def _stray_categories() -> list[str]:
    """List the paths whose tier 1 no theme uses: the categories of noise deals."""
    taken = {_category_path(category)[0] for theme in THEMES for category in theme.categories}
    taken |= {"Sensitive Topics"}
    return sorted(" > ".join(filter(None, path)) for path in read_category_paths() if path[0] not in taken)


# --- drawing one deal ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Draw:
    """The choices behind one deal that several of its fields have to agree on."""

    parts: tuple[Theme, ...]
    lead: Theme
    environment: Environment
    ssp: Ssp
    market: Market
    label: str
    audiences: list[str]
    publishers: list[str]
    quality: str
    start: date
    end: date | None


def _draw_from_each(
    rng: random.Random, parts: Sequence[Theme], pool: Callable[[Theme], tuple[str, ...]], low: int, high: int
) -> list[str]:
    """Draw low..high values, shared evenly between the parts, without repeats."""
    count = rng.randint(low, high)
    drawn: list[str] = []
    for part in parts:
        values = pool(part)
        drawn += rng.sample(values, min(len(values), -(-count // len(parts))))
    rng.shuffle(drawn)
    return list(dict.fromkeys(drawn))


def _draw_flight(rng: random.Random) -> tuple[date, date | None]:
    """Draw start and end; end None = evergreen. Expired flights end before TODAY, the others after it."""
    roll = rng.random()
    if roll < EXPIRED_SHARE:
        end = TODAY - timedelta(days=rng.randint(3, 40))
        return FIRST_DAY + timedelta(days=rng.randint(0, 20)), end
    start = FIRST_DAY + timedelta(days=rng.randint(0, 150))
    if roll < EXPIRED_SHARE + EVERGREEN_SHARE:
        return start, None
    soonest = max(start, TODAY)
    return start, min(soonest + timedelta(days=rng.randint(14, 160)), LAST_DAY)


def _draw_choices(rng: random.Random, parts: tuple[Theme, ...]) -> Draw:
    lead = rng.choice(parts)
    environment = ENVIRONMENTS[lead.environment]
    start, end = _draw_flight(rng)
    ssps = [ssp for ssp in SSPS for name in ssp.environments.split() if name == lead.environment]
    return Draw(
        parts=parts,
        lead=lead,
        environment=environment,
        ssp=rng.choice(ssps),
        market=MARKETS[rng.choice(lead.markets)],
        label=" & ".join(rng.choice(part.labels) for part in parts),
        audiences=_draw_from_each(rng, parts, lambda part: part.audiences, 2, 3),
        publishers=_draw_from_each(rng, parts, lambda part: part.publishers, 2, 5),
        quality=rng.choices(("Premium", "Mid-tier", "RON"), environment.quality)[0],
        start=start,
        end=end,
    )


def _draw_id(rng: random.Random, pattern: str, used: set[str]) -> str:
    """Fill the pattern of an SSP until the id is new, and remember it in `used`."""
    alphabets = {"#": string.digits, "?": string.ascii_uppercase + string.digits}
    while True:
        deal_id = "".join(rng.choice(alphabets.get(mark, mark)) for mark in pattern)
        if deal_id not in used:
            used.add(deal_id)
            return deal_id


def _name_fields(rng: random.Random, draw: Draw) -> dict[str, str]:
    env = rng.choice(draw.environment.name_words)
    stale = rng.random() < STALE_YEAR_SHARE
    return {
        "quality": draw.quality,
        "env": env,
        "env_": env.replace(" ", ""),
        "label": draw.label,
        "label_": draw.label.replace(" & ", "_").replace(" ", ""),
        "ssp": draw.ssp.name,
        "code": draw.ssp.code,
        "geo": draw.market.label,
        "quarter": str((draw.start.month + 2) // 3),
        "year": str(draw.start.year - rng.randint(1, 2) if stale else draw.start.year),
        "audience": rng.choice(draw.audiences),
        "publisher": rng.choice(draw.publishers),
        "number": str(rng.randint(1000, 99999)),
        "small": str(rng.randint(2, 40)),
    }


def _draw_name(rng: random.Random, draw: Draw) -> str:
    templates = GENERIC_NAMES if rng.random() < GENERIC_NAME_SHARE else NAME_TEMPLATES
    name = rng.choice(templates).format(**_name_fields(rng, draw))
    if rng.random() < EXTRA_SPACE_SHARE:
        return rng.choice((f" {name}", f"{name} ", name.replace(" ", "  ", 1)))
    return name


def _draw_format(rng: random.Random, draw: Draw) -> str:
    formats = sorted({ENVIRONMENTS[part.environment].format for part in draw.parts})
    if len(formats) > 1 and rng.random() < TWO_FORMATS_SHARE:
        return ", ".join(formats)
    if rng.random() < FORMAT_VARIANT_SHARE:
        return rng.choice(draw.environment.format_variants)
    return draw.environment.format


def _draw_safety(rng: random.Random, draw: Draw) -> Deal:
    """Rate the deal by the strictest of its parts; what is below the floor is never family-safe."""
    profile = max((SAFETY[part.safety] for part in draw.parts), key=lambda candidate: candidate.rank)
    risk = rng.choices(RISK_RATINGS, profile.risk)[0]
    return {
        "garm_risk_rating": risk,
        "family_safe": risk != "Floor" and rng.random() < profile.family_safe_share,
        "safe_for_verticals": rng.sample(profile.verticals, rng.randint(2, min(5, len(profile.verticals)))),
    }


def _draw_commercial(rng: random.Random, draw: Draw) -> Deal:
    """Price the deal inside its environment's range: the better the tier, the higher in the range."""
    low, high, step = draw.environment.floor
    position = {"Premium": (0.35, 1.0), "Mid-tier": (0.15, 0.6), "RON": (0.0, 0.25)}[draw.quality]
    floor = round(round((low + (high - low) * rng.uniform(*position)) / step) * step, 2)
    return {
        "quality_tier": draw.quality,
        "volume_tier": rng.choices(("High", "Medium", "Low"), (35, 45, 20))[0],
        "floor_price": 0.0 if rng.random() < ZERO_FLOOR_SHARE else floor,
    }


def _draw_status(rng: random.Random, draw: Draw) -> str:
    if draw.end is not None and draw.end < TODAY:
        return rng.choice(("expired", "expired", "active"))
    return "paused" if rng.random() < PAUSED_SHARE else "active"


def _draw_scale(rng: random.Random, volume_tier: str) -> int:
    """Draw a forecast of two significant digits whose size fits the volume tier."""
    low, high = VOLUME_SCALE[volume_tier]
    magnitude: int = 10 ** (rng.randint(low, high) - 1)
    return rng.randint(10, 99) * magnitude


def _draw_description(rng: random.Random, draw: Draw, concepts: list[str]) -> str:
    return rng.choice(DESCRIPTIONS).format(
        env=rng.choice(draw.environment.name_words),
        label=draw.label,
        ssp=draw.ssp.name,
        geo=draw.market.label,
        publishers=" and ".join(draw.publishers[:2]),
        audience=" and ".join(draw.audiences[:2]),
        concepts=", ".join(concepts[:3]),
    )


def _instant(day: date | None, clock: str) -> str | None:
    return None if day is None else f"{day.isoformat()}T{clock}Z"


def _draw_complete_deal(rng: random.Random, parts: tuple[Theme, ...], used_ids: set[str]) -> Deal:
    """Draw a deal with every field filled."""
    draw = _draw_choices(rng, parts)
    # A bridge is filed under either of its categories, whatever environment leads.
    tier1, tier2, tier3 = _category_path(rng.choice(rng.choice(parts).categories))
    deal: Deal = {
        "deal_id": _draw_id(rng, draw.ssp.id_pattern, used_ids),
        "deal_name": _draw_name(rng, draw),
        "ssp_name": draw.ssp.name,
        "format": _draw_format(rng, draw),
        "taxonomy": {"tier1": tier1, "tier2": tier2, "tier3": tier3},
        "concepts": _draw_from_each(rng, parts, lambda part: part.concepts, 4, 8),
        "safety": _draw_safety(rng, draw),
        "audience": {
            "inferred_audience": draw.audiences,
            "demographic_hint": rng.choice(draw.lead.demographics),
            "audience_provenance": rng.choice(PROVENANCE),
        },
        "commercial": _draw_commercial(rng, draw),
        "publishers": draw.publishers,
        "device": list(rng.choice(draw.environment.devices)),
        "geos": list(draw.market.geos),
        "currency": draw.market.currency,
        "price_type": rng.choices(("auction", "fixed"), (70, 30))[0],
        "start_time": _instant(draw.start, "00:00:00"),
        "end_time": _instant(draw.end, "23:59:59"),
        "status": _draw_status(rng, draw),
    }
    deal["description"] = _draw_description(rng, draw, deal["concepts"])
    deal["source"] = rng.choice(SOURCES)
    deal["scale"] = _draw_scale(rng, deal["commercial"]["volume_tier"])
    deal["scale_unit"], deal["period"] = rng.choice(SCALE_UNITS)
    return deal


def _open_gaps(rng: random.Random, deal: Deal) -> Deal:
    """Blank values at the rates of GAPS: some deals write null, the others leave the key out."""
    writes_null = rng.random() < NULL_WRITER_SHARE
    missing = [path for gap in GAPS if rng.random() < gap.share for path in gap.paths]
    for path in missing:
        *parents, key = path.split(".")
        target: Deal | None = deal.get(parents[0]) if parents else deal
        if target is not None:
            target[key] = None
    return deal if writes_null else _without_nulls(deal)


def _without_nulls(deal: Deal) -> Deal:
    return {
        key: _without_nulls(value) if isinstance(value, dict) else value
        for key, value in deal.items()
        if value is not None
    }


# --- drawing all deals --------------------------------------------------------------------------------


def _theme_sizes(rng: random.Random, themes: int, deals: int) -> list[int]:
    """Share the core deals out with a long tail: a few large themes, many near SMALLEST_THEME."""
    smallest = min(SMALLEST_THEME, deals // themes)
    if smallest == 0:
        message = f"{deals} core deals cannot fill {themes} themes: ask for more deals or fewer themes"
        raise ValueError(message)
    spare = deals - smallest * themes
    weights = [SIZE_DECAY**rank for rank in range(themes)]
    shares = [spare * weight / sum(weights) for weight in weights]
    sizes = [smallest + int(share) for share in shares]
    for rank in range(deals - sum(sizes)):
        sizes[rank % themes] += 1
    rng.shuffle(sizes)
    return sizes


def _can_bridge(one: Theme, other: Theme) -> bool:
    """Refuse pairs no seller would bundle: kids' content with content for adults."""
    profiles = {one.safety, other.safety}
    return one is not other and not ("kids" in profiles and profiles & NEVER_WITH_KIDS)


def _draw_bridge(rng: random.Random, themes: Sequence[Theme]) -> tuple[Theme, ...]:
    """Draw two themes. Pairs of one environment are likelier: a deal id usually serves one."""
    one = rng.choice(themes)
    others = [theme for theme in themes if _can_bridge(one, theme)]
    if not others:
        return (one,)
    weights = [5 if theme.environment == one.environment else 1 for theme in others]
    return one, rng.choices(others, weights)[0]


def _draw_stray(rng: random.Random, categories: Sequence[str]) -> Theme:
    """Draw the one-off subject of a noise deal: stray category, borrowed audience, mixed supply."""
    category = rng.choice(categories)
    subject = category.split(" > ")[-1]
    safe = [theme for theme in THEMES if theme.safety == "general"]
    donor = rng.choice(safe)
    return Theme(
        name="",
        environment=rng.choice(tuple(ENVIRONMENTS)),
        labels=(subject.replace(",", ""), "Run of Network", "Long Tail", "Audience Extension"),
        categories=(category,),
        concepts=(subject.lower().replace(",", ""), *rng.sample(STRAY_CONCEPTS, 5)),
        audiences=tuple(rng.choice(theme.audiences) for theme in rng.sample(safe, 4)),
        demographics=donor.demographics,
        publishers=STRAY_PUBLISHERS,
        safety="unmoderated",
    )


def _draw_subjects(rng: random.Random, themes: int, deals: int) -> list[tuple[Theme, ...]]:
    """Decide what each deal is about, in random order."""
    chosen = rng.sample(THEMES, themes)
    bridges, noise = round(deals * BRIDGE_SHARE), round(deals * NOISE_SHARE)
    sizes = _theme_sizes(rng, themes, deals - bridges - noise)
    subjects: list[tuple[Theme, ...]] = []
    for theme, size in zip(chosen, sizes, strict=True):
        subjects += [(theme,)] * size
    subjects += [_draw_bridge(rng, chosen) for _ in range(bridges)]
    categories = _stray_categories()
    subjects += [(_draw_stray(rng, categories),) for _ in range(noise)]
    rng.shuffle(subjects)
    return subjects


def generate(seed: int, themes: int, deals: int) -> GeneratedDeals:
    """Draw `deals` deals over `themes` themes of THEMES; the same arguments give the same deals.

    BRIDGE_SHARE of them are bridges (with one theme nothing can bridge), NOISE_SHARE noise.
    Raises ValueError when THEMES has too few themes or the deals cannot fill them.
    """
    if not 1 <= themes <= len(THEMES):
        message = f"themes is {themes}; choose 1 to {len(THEMES)}"
        raise ValueError(message)
    rng = random.Random(seed)
    used_ids: set[str] = set()
    subjects = _draw_subjects(rng, themes, deals)
    return GeneratedDeals(
        deals=[_open_gaps(rng, _draw_complete_deal(rng, parts, used_ids)) for parts in subjects],
        truth=[tuple(part.name for part in parts if part.name) for parts in subjects],
    )


# --- files --------------------------------------------------------------------------------------------


def deals_as_json(deals: Sequence[Deal]) -> str:
    """Write a JSON list with one deal per line, so that a changed deal is one changed line."""
    lines = ",\n".join(json.dumps(deal, ensure_ascii=False) for deal in deals)
    return f"[\n{lines}\n]\n"


def _cell(value: object) -> str:
    """Write one value as an SSP console does; unknown is an empty cell."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case list():
            return LIST_SEPARATOR.join(value)
        case _:
            return str(value)


def flatten_deal(deal: Deal) -> dict[str, str]:
    """Return the CSV row of a deal: column = path joined by "_". Raises ValueError on an unknown field."""
    row = dict.fromkeys(COLUMNS, "")
    for key, value in deal.items():
        nested = value.items() if isinstance(value, dict) else ((None, value),)
        for inner, item in nested:
            if item is None:
                continue
            row[key if inner is None else f"{key}_{inner}"] = _cell(item)
    if len(row) > len(COLUMNS):
        message = f"no CSV column for {sorted(set(row) - set(COLUMNS))}; add it to COLUMNS"
        raise ValueError(message)
    return row


def deals_as_csv(deals: Sequence[Deal]) -> str:
    """Write the flattened deals as CSV with LF line ends."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flatten_deal(deal) for deal in deals)
    return text.getvalue()


def render_files() -> dict[str, str]:
    """Return the content of every sample file by file name."""
    content: dict[str, str] = {}
    for file in SAMPLE_FILES:
        deals = generate(file.seed, file.themes, file.deals).deals
        content[f"{file.stem}.json"] = deals_as_json(deals)
        if file.with_csv:
            content[f"{file.stem}.csv"] = deals_as_csv(deals)
    return content


def main() -> None:
    """Rewrite the sample files next to this module."""
    for name, text in render_files().items():
        (HERE / name).write_bytes(text.encode("utf-8"))


if __name__ == "__main__":
    main()
