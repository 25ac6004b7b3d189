"""What the forms are about: words only, so that another topic is one more entry."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """fields: label -> values to type. ticks: checkbox labels. choices: legend -> radio labels.

    Within a topic no label may occur twice: a task names things by their labels.
    """

    site: str
    title: str
    lead: str
    fields: dict[str, tuple[str, ...]]
    ticks: tuple[str, ...]
    choices: dict[str, tuple[str, ...]]
    submit: tuple[str, ...]
    other: tuple[str, ...]
    thanks: str


PEOPLE = ("Alice", "Tom Becker", "Maria Silva", "Noah Kim", "Ines Duarte", "Omar Haddad", "Greta Lund", "Yuki Tanaka")
MAILS = ("alice@example.org", "tom.becker@mail.test", "maria@home.test", "n.kim@example.com", "greta@post.test")
CITIES = ("Lisbon", "Oslo", "Kyoto", "Vienna", "Toronto", "Bergen", "Porto", "Geneva")
PHONES = ("555 0142", "555 0187", "030 445566", "0171 220033", "020 7946 0018")
DATES = ("12 May", "3 June", "28 August", "1 October", "17 March")
NUMBERS = ("2", "3", "5", "12", "40")

TOPICS: tuple[Topic, ...] = (
    Topic(
        site="Northwind Studio",
        title="Contact us",
        lead="We usually answer within a working day.",
        fields={
            "Full name": PEOPLE,
            "E-mail": MAILS,
            "Company": ("Acme", "Blue Harbor", "Lumen Labs"),
            "Subject": ("Invoice", "Offer", "Broken link"),
        },
        ticks=("Newsletter", "Send me a copy", "Call me back", "I accept the terms"),
        choices={"Reason": ("Question", "Complaint", "Praise"), "Language": ("English", "French", "German")},
        submit=("Send", "Send message", "Submit"),
        other=("Cancel", "Clear"),
        thanks="Thank you, your message was sent.",
    ),
    Topic(
        site="City Library",
        title="Library card",
        lead="A card is free for everybody who lives here.",
        fields={"First name": PEOPLE, "Street": ("Elm Street 4", "Mill Lane 9", "Hill Road 21"), "Town": CITIES},
        ticks=("I am a student", "Remind me by mail", "Large print books", "Audio books"),
        choices={"Branch": ("Central", "Riverside", "Old Town"), "Pick up": ("At the desk", "By post")},
        submit=("Apply", "Get my card", "Request card"),
        other=("Back", "Save draft"),
        thanks="Your card is on its way.",
    ),
    Topic(
        site="Skyline Hotel",
        title="Book a room",
        lead="Free cancellation until the day before.",
        fields={"Guest name": PEOPLE, "Arrival": DATES, "Nights": NUMBERS, "Phone": PHONES},
        ticks=("Breakfast", "Parking", "Late check-out", "Sea view"),
        choices={"Room": ("Single", "Double", "Suite"), "Payment": ("Card", "Invoice", "On arrival")},
        submit=("Book now", "Reserve", "Confirm"),
        other=("Cancel", "Change dates"),
        thanks="Your room is booked.",
    ),
    Topic(
        site="Volt Repairs",
        title="Repair request",
        lead="Tell us what is broken, we do the rest.",
        fields={
            "Device": ("Laptop", "Camera", "Toaster", "Radio"),
            "Serial number": ("AX-204", "K7719", "RT-88"),
            "Your name": PEOPLE,
            "Telephone": PHONES,
        },
        ticks=("Under warranty", "Express service", "Back up my data", "Return old parts"),
        choices={"Contact by": ("Phone", "Text message", "Letter"), "Condition": ("Works", "Works at times", "Dead")},
        submit=("Request repair", "Continue", "Send request"),
        other=("Discard", "Start over"),
        thanks="We have your request.",
    ),
    Topic(
        site="Green Valley Market",
        title="Weekly box",
        lead="Fresh vegetables from farms nearby.",
        fields={"Name": PEOPLE, "Delivery town": CITIES, "Number of boxes": NUMBERS, "Voucher": ("SPRING", "APPLE5")},
        ticks=("Only organic", "No potatoes", "Add eggs", "Add bread", "Gift wrap"),
        choices={"Size": ("Small", "Medium", "Large"), "Delivery day": ("Tuesday", "Thursday", "Saturday")},
        submit=("Order", "Place order", "Buy"),
        other=("Empty basket", "Back to shop"),
        thanks="Your order was placed.",
    ),
    Topic(
        site="Runners Club",
        title="Race registration",
        lead="The start is at nine, rain or shine.",
        fields={
            "Runner": PEOPLE,
            "Team": ("Falcons", "Night Owls", "Red Foxes"),
            "Year of birth": ("1984", "1999", "2003"),
            "Home town": CITIES,
        },
        ticks=("Need a shirt", "Timing chip", "Vegetarian lunch", "Share my result"),
        choices={"Distance": ("5 km", "10 km", "21 km"), "Shirt": ("S", "M", "L")},
        submit=("Register", "Sign up", "Join the race"),
        other=("Not now", "Reset"),
        thanks="See you at the start.",
    ),
    Topic(
        site="Helpdesk",
        title="New ticket",
        lead="One ticket for each problem, please.",
        fields={
            "Summary": ("Printer jam", "No sound", "Login fails", "Slow network"),
            "Room number": ("204", "B17", "311"),
            "Reported by": PEOPLE,
        },
        ticks=("Urgent", "Affects others", "Attach log", "Notify me"),
        choices={"Category": ("Hardware", "Software", "Account"), "System": ("Linux", "Windows", "Phone")},
        submit=("Create ticket", "Create", "File ticket"),
        other=("Close", "Preview"),
        thanks="Your ticket was created.",
    ),
    Topic(
        site="Harbour Theatre",
        title="Tickets",
        lead="Doors open half an hour before the show.",
        fields={"Name on ticket": PEOPLE, "Show date": DATES, "Seats": NUMBERS, "Promo code": ("STAGE10", "FRIEND")},
        ticks=("Wheelchair place", "Programme booklet", "Drinks voucher", "Keep me posted"),
        choices={"Area": ("Stalls", "Balcony", "Box"), "Ticket": ("Mobile", "Paper")},
        submit=("Buy tickets", "Pay", "Check out"),
        other=("Cancel order", "Seat map"),
        thanks="Enjoy the show.",
    ),
    Topic(
        site="Campus",
        title="Course enrolment",
        lead="Places are given in the order of arrival.",
        fields={
            "Student": PEOPLE,
            "Course": ("Algebra", "Botany", "Pottery", "Latin"),
            "Student number": ("20417", "88203", "51190"),
            "Mail address": MAILS,
        },
        ticks=("First semester", "Need a certificate", "Join waiting list", "Printed script"),
        choices={"Group": ("Morning", "Afternoon", "Evening"), "Exam": ("Written", "Oral")},
        submit=("Enrol", "Enrol me", "Finish"),
        other=("Drop out", "Save for later"),
        thanks="You are enrolled.",
    ),
    Topic(
        site="Account",
        title="Settings",
        lead="Changes take effect at once.",
        fields={
            "Display name": PEOPLE,
            "Nickname": ("sparrow", "mapleleaf", "comet7"),
            "Location": CITIES,
            "Recovery mail": MAILS,
        },
        ticks=("Show my profile", "Weekly summary", "Two-step login", "Beta features"),
        choices={"Theme": ("Light", "Dark", "Automatic"), "Units": ("Metric", "Imperial")},
        submit=("Save", "Save changes", "Update"),
        other=("Undo", "Delete account"),
        thanks="Your settings were saved.",
    ),
)
