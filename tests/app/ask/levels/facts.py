"""The facts that the tests hide in documents."""

TRADE = "The trade of Morvan Telun is weaver."
TEACHER = "People say that the teacher of Morvan Telun is Sterin Grado."
TEACHERS_TRADE = "The trade of Sterin Grado is potter."
TOWN = "The home town of Bralin Kotor is Ostavi."
OTHER_POTTER = "As the records show, the trade of Linda Pravo is potter."
YEAR = "The birth year of Sterin Grado is 1822."

FACTS = (TRADE, TEACHER, TEACHERS_TRADE, TOWN, OTHER_POTTER, YEAR)

#: Questions with what the answer must hold.
LOOKUP = "What is the trade of Morvan Telun?"
ABSENT = "What is the trade of Nobody Here?"
PARAPHRASE = "Who makes jugs?"
CHAIN = "What is the trade of the teacher of Morvan Telun?"
BROKEN_CHAIN = "What is the birth year of the teacher of Bralin Kotor?"
COUNT = "How many people have the trade potter?"
LIST = "Who are all the people whose trade is potter?"
OVERVIEW = "What is this text about?"
