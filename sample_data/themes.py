"""What the sample deals talk about: environments, sellers, markets, safety and the themes.

Tables only; `generate` draws from them. Names are real SSPs and publishers, used as plausible labels.
"""

from __future__ import annotations

from dataclasses import dataclass

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
